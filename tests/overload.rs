//! Overload: who asks for more than can be answered is told so at once, and nobody else suffers.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::client::Client;
use crate::harness::{Server, Setup, eventually};
use crate::shop::TOKEN;

/// So many ask at once, again and again, as a crowd does that nobody holds back.
const CROWD: usize = 32;
/// Rules of a flag that is dear to decide and short to answer: each backtracks as far as it may.
const RULES: usize = 2;
/// How often somebody asks who asks for little.
const SELDOM: Duration = Duration::from_millis(100);
const WITHIN: Duration = Duration::from_secs(60);

fn ask(client: &Client, token: &str, flag: &str) -> (u16, bool) {
    let mail = format!("{}!", "a".repeat(60));
    let body = json!({ "token": token, "distinct_id": "ann", "flag_keys": [flag],
        "person_properties": { "mail": mail } });
    let answer = client.try_post("/flags/?v=2", body.to_string().as_bytes()).expect("an answer");
    (answer.status, answer.headers.contains_key("retry-after"))
}

fn shop() -> Server {
    let dear =
        "  - when: { person: { mail: { matches: \"(?=a)(a|aa)*(?=x|!!)\" } } }\n".repeat(RULES);
    let setup = Setup::embedded().set("SLUICE_OVERLOAD_WAIT_MS", "1");
    let server = setup.define("flags/dear.yaml", &format!("rules:\n{dear}")).start();
    let zoo = server.definitions().join("zoo");
    std::fs::create_dir_all(zoo.join("flags")).expect("a folder");
    std::fs::write(zoo.join("flags/feed.yaml"), "rules: [ { rollout: 100% } ]\n").expect("a flag");
    std::fs::write(zoo.join("project.yaml"), "token: phc_zoo\n").expect("a project");
    eventually("the zoo is known", WITHIN, || {
        (ask(&server.client, "phc_zoo", "feed").0 == 200).then_some(())
    });
    server
}

/// Sends the crowd home, also where the story fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_crowd_is_turned_away_in_part_and_another_project_isnt() {
    let server = shop();
    let (is_over, answered, refused) =
        (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        let over = Over(&is_over);
        for _ in 0..CROWD {
            scope.spawn(|| {
                let client = Client::new(server.port(), TOKEN);
                while !is_over.load(Ordering::Relaxed) {
                    match ask(&client, TOKEN, "dear") {
                        (200, false) => answered.fetch_add(1, Ordering::Relaxed),
                        (503, true) => refused.fetch_add(1, Ordering::Relaxed),
                        other => panic!("{other:?}"),
                    };
                }
            });
        }
        let more = |before: (usize, usize)| {
            let now = (answered.load(Ordering::Relaxed), refused.load(Ordering::Relaxed));
            (now.0 > before.0 + 100 && now.1 > before.1 + 100).then_some(now)
        };
        let begun = eventually("some are turned away, and some aren't", WITHIN, || more((0, 0)));
        let zoo = |_| {
            thread::sleep(SELDOM);
            ask(&server.client, "phc_zoo", "feed").0
        };
        let zoo: Vec<u16> = (0..30).map(zoo).collect();
        eventually("that goes on", WITHIN, || more(begun));
        drop(over);
        assert_eq!(zoo, [200; 30]);
    });
    eventually("nobody is turned away any more", WITHIN, || {
        (0..50).all(|_| ask(&server.client, TOKEN, "dear").0 == 200).then_some(())
    });
}
