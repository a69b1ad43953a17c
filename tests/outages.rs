//! Stories of a broker that isn't there.

use std::time::Duration;

use crate::broker::Broker;
use crate::client::Said;
use crate::dice::Dice;
use crate::event::now_ms;
use crate::harness::{Setup, eventually};
use crate::kafka::wait_for;
use crate::shop::adds;

/// How long a node may take to notice that its broker has gone, or is back.
const NOTICED_WITHIN: Duration = Duration::from_secs(60);

#[test]
fn serve_starts_without_a_broker_and_recovers() {
    let (broker, mut dice) = (Broker::prepare(), Dice::new(60));
    let server = Setup::kafka(&broker.address(), "late").launch();
    assert!(!server.is_ready());
    let events = adds("ann", 3, now_ms(), &mut dice);
    let refused = server.client.offer(&events);
    assert_eq!(refused.status, 503, "nothing is lost if it is sent again: {}", refused.body);
    let said = server.client.flags("ann").said("offer");
    assert!(matches!(said, Said::Failed(_)), "nobody can know: {said:?}");

    broker.start();
    eventually("the node is ready", NOTICED_WITHIN, || server.is_ready().then_some(()));
    server.client.capture(&events);
    wait_for(&server, "ann", "offer", &Said::Yes);
}

#[test]
fn checks_go_on_while_the_broker_is_away() {
    let (broker, mut dice) = (Broker::prepare(), Dice::new(61));
    broker.start();
    let topic = broker.topic(2);
    let mut server = Setup::kafka(&topic.brokers, &topic.name).start();
    server.client.capture(&adds("ann", 3, now_ms(), &mut dice));
    wait_for(&server, "ann", "many-adds", &Said::Yes);
    assert!(!server.client.flags("ann").stale);

    broker.kill();
    eventually("answers are marked stale", NOTICED_WITHIN, || {
        let flags = server.client.flags("ann");
        assert!(flags.on("many-adds"), "state answers");
        flags.stale.then_some(())
    });
    let late = adds("ben", 3, now_ms(), &mut dice);
    assert_eq!(server.client.offer(&late).status, 503);
    assert!(server.client.flags("ann").on("many-adds"));

    broker.start();
    eventually("answers are fresh again", NOTICED_WITHIN, || {
        (!server.client.flags("ann").stale).then_some(())
    });
    eventually("events are taken again", NOTICED_WITHIN, || {
        (server.client.offer(&late).status == 200).then_some(())
    });
    wait_for(&server, "ben", "many-adds", &Said::Yes);
    assert!(server.client.flags("ann").on("many-adds"));

    // Started while the broker is away, a node knows that it doesn't know.
    server.stop();
    broker.kill();
    server.launch();
    assert!(!server.is_ready());
    let said = server.client.flags("ann").said("many-adds");
    assert!(matches!(said, Said::Failed(_) | Said::Yes), "never silently false: {said:?}");
    broker.start();
    eventually("the node is ready", NOTICED_WITHIN, || server.is_ready().then_some(()));
    assert!(server.client.flags("ben").on("many-adds"));
}
