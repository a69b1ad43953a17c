//! What an SDK would do over HTTP: capture events, ask for flags, read the metrics.

use std::time::Duration;

use serde_json::{Value, json};

use crate::event::Event;

/// Longer than anything the binary is allowed to take.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Client {
    agent: ureq::Agent,
    base: String,
    token: String,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: String,
}

/// What was said about one flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Yes,
    No,
    /// It couldn't be decided, for the reason of this code.
    Failed(String),
    /// The catalog doesn't have it.
    Nothing,
}

/// An answer of `/flags`.
#[derive(Debug)]
pub struct Flags {
    pub evaluated_at_ms: i64,
    /// Whether the answer was marked as given without the log.
    pub stale: bool,
    /// How far the state that answered had read.
    pub position: Option<String>,
    pub body: Value,
}

impl Client {
    pub fn new(port: u16, token: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .proxy(None)
            .build();
        let base = format!("http://127.0.0.1:{port}");
        Client { agent: config.new_agent(), base, token: token.to_owned() }
    }

    /// The address that an SDK is given.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// # Errors
    /// Nobody answered.
    pub fn try_post(&self, path: &str, body: &[u8]) -> Result<Answer, ureq::Error> {
        self.try_post_with(path, &[], body)
    }

    /// The same with these headers.
    ///
    /// # Errors
    /// Nobody answered.
    pub fn try_post_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, ureq::Error> {
        let request = self.agent.post(format!("{}{path}", self.base));
        let request = request.header("content-type", "application/json");
        let named = headers.iter();
        let request = named.fold(request, |request, (name, value)| request.header(*name, *value));
        answer(request.send(body)?)
    }

    /// # Errors
    /// Nobody answered.
    pub fn try_get(&self, path: &str) -> Result<Answer, ureq::Error> {
        self.try_get_with(path, &[])
    }

    /// The same with these headers.
    ///
    /// # Errors
    /// Nobody answered.
    pub fn try_get_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, ureq::Error> {
        let request = self.agent.get(format!("{}{path}", self.base));
        let named = headers.iter();
        let request = named.fold(request, |request, (name, value)| request.header(*name, *value));
        answer(request.call()?)
    }

    /// Asks with a secret of the project's, or without one.
    pub fn get_with(&self, path: &str, secret: Option<&str>, query: &[(&str, &str)]) -> Answer {
        let request = self.agent.get(format!("{}{path}", self.base));
        let bearer = secret.map(|secret| format!("Bearer {secret}"));
        let request =
            bearer.into_iter().fold(request, |it, bearer| it.header("authorization", bearer));
        let request = query.iter().fold(request, |it, (name, value)| it.query(name, value));
        let answer = request.call().and_then(answer);
        answer.unwrap_or_else(|error| panic!("no answer to GET {path}: {error}"))
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        let answer = self.try_post(path, body.to_string().as_bytes());
        answer.unwrap_or_else(|error| panic!("no answer to POST {path}: {error}"))
    }

    /// Sends events in one batch, and returns what was said.
    pub fn offer(&self, events: &[Event]) -> Answer {
        self.post("/batch/", &self.batch(events))
    }

    /// Sends events in one batch, which has to be taken.
    pub fn capture(&self, events: &[Event]) {
        let answer = self.offer(events);
        assert_eq!(answer.status, 200, "a batch was not taken: {}", answer.body);
    }

    /// The same, and returns the position from which on state has them.
    pub fn capture_at(&self, events: &[Event]) -> String {
        let answer = self.offer(events);
        assert_eq!(answer.status, 200, "a batch was not taken: {}", answer.body);
        answer.position().expect("a position")
    }

    /// The body of a capture request.
    pub fn batch(&self, events: &[Event]) -> Value {
        let events: Vec<Value> = events.iter().map(Event::captured).collect();
        json!({ "api_key": self.token, "batch": events })
    }

    pub fn flags(&self, distinct_id: &str) -> Flags {
        self.flags_with(distinct_id, json!({}))
    }

    /// Asks for flags, telling the properties that the asking code knows.
    pub fn flags_with(&self, distinct_id: &str, person_properties: Value) -> Flags {
        let answer = self.post(
            "/flags/?v=2",
            &json!({
                "token": self.token,
                "distinct_id": distinct_id,
                "person_properties": person_properties,
            }),
        );
        Flags::read(answer)
    }

    /// Asks for flags that are answered from this position on, waiting for it at most so long.
    pub fn flags_from(&self, distinct_id: &str, position: &str, wait_ms: u64) -> Flags {
        let body = json!({ "token": self.token, "distinct_id": distinct_id }).to_string();
        let wait_ms = wait_ms.to_string();
        let headers = [("sluice-position", position), ("sluice-wait-ms", &wait_ms)];
        let answer = self.try_post_with("/flags/?v=2", &headers, body.as_bytes());
        Flags::read(answer.unwrap_or_else(|error| panic!("no answer about {position}: {error}")))
    }

    /// The sum over a metric's lines that contain all of `labels`; 0 where there are none.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let text = self.try_get("/metrics").expect("the metrics are served").body;
        let lines = text.lines().filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        });
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}

impl Flags {
    fn read(answer: Answer) -> Self {
        assert_eq!(answer.status, 200, "no flags: {}", answer.body);
        let body = answer.json();
        let evaluated_at_ms = body["evaluatedAt"].as_i64();
        Flags {
            evaluated_at_ms: evaluated_at_ms.expect("evaluatedAt is epoch milliseconds"),
            stale: answer.headers.contains_key("sluice-stale"),
            position: answer.position(),
            body,
        }
    }

    pub fn said(&self, key: &str) -> Said {
        let Some(flag) = self.body["flags"].get(key) else {
            return Said::Nothing;
        };
        if flag["failed"] == json!(true) {
            return Said::Failed(flag["reason"]["code"].as_str().unwrap_or_default().to_owned());
        }
        if flag["enabled"] == json!(true) { Said::Yes } else { Said::No }
    }

    /// Yes or no; anything else fails the test.
    pub fn on(&self, key: &str) -> bool {
        match self.said(key) {
            Said::Yes => true,
            Said::No => false,
            other => panic!("flag {key} is {other:?} in {}", self.body),
        }
    }
}

impl Answer {
    pub fn position(&self) -> Option<String> {
        Some(self.headers.get("sluice-position")?.to_str().expect("plain text").to_owned())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.body))
    }
}

fn answer(mut response: ureq::http::Response<ureq::Body>) -> Result<Answer, ureq::Error> {
    let body = response.body_mut().read_to_string()?;
    Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), body })
}
