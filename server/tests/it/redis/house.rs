//! The bus over a log in memory: what a server does with it, without the server.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use server::bus::{
    Bus, Payload, RedisBus,
    redis::{EventLog, LogError, Logged, Parts, Report, Server},
};
use tokio::{sync::watch, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use super::daemon::LONG;

/// Whatever is wrong has to be told within this.
pub const TOLD_WITHIN: Duration = Duration::from_secs(3);

/// A log, and where a test counts the reads.
#[derive(Default)]
pub struct Log {
    events: Mutex<Vec<Logged>>,
    /// How often it was read.
    pub reads: AtomicUsize,
}

/// What was reported last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Nothing yet.
    Nothing,
    /// It does not work.
    Degraded(String),
    /// It works.
    Recovered,
}

/// A bus at work.
pub struct House {
    /// The bus.
    pub bus: RedisBus,
    /// The log.
    pub log: Arc<Log>,
    told: watch::Receiver<Told>,
    mirror: JoinHandle<()>,
    shutdown: CancellationToken,
    /// Goes into every event: two houses never have the same ones.
    born: u64,
}

struct Reporter(watch::Sender<Told>);

impl Report for Reporter {
    fn degrade(&self, reason: String) {
        self.0.send_replace(Told::Degraded(reason));
    }

    fn recover(&self) {
        self.0.send_replace(Told::Recovered);
    }
}

#[async_trait]
impl EventLog for Log {
    async fn frames_after(&self, after: u64, limit: u32) -> Result<Vec<Logged>, LogError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let events = self.events.lock().expect("not poisoned");
        let behind = events.iter().filter(|event| event.seq > after);
        Ok(behind.take(limit as usize).cloned().collect())
    }
}

impl Log {
    /// `seq` of the newest event.
    pub fn head(&self) -> u64 {
        let events = self.events.lock().expect("not poisoned");
        events.last().map_or(0, |event| event.seq)
    }

    /// Stores an event without publishing it, as when a process dies between the two.
    pub fn store(&self, at: u64) -> Logged {
        let mut events = self.events.lock().expect("not poisoned");
        let seq = events.len() as u64 + 1;
        let topic = topic(seq);
        let json = format!(
            r#"{{"kind":"event","seq":{seq},"at":{at},"type":"task.started","topic":"{topic}","severity":"info","data":{{}}}}"#
        );
        events.push(Logged { seq, topic, json });
        events[events.len() - 1].clone()
    }

    /// All frames, as they have to be in the stream.
    pub fn entries(&self, from: u64) -> Vec<(u64, String)> {
        let events = self.events.lock().expect("not poisoned");
        let later = events.iter().filter(|event| event.seq >= from);
        later.map(|event| (event.seq, event.json.clone())).collect()
    }
}

impl House {
    /// Begins with an empty log.
    pub fn new(url: &str, prefix: &str) -> Self {
        Self::with_log(url, prefix, Arc::default())
    }

    /// Begins with what an earlier one has stored.
    pub fn with_log(url: &str, prefix: &str, log: Arc<Log>) -> Self {
        let server = Server::parse(url, prefix, 100_000).expect("an address");
        Self::at(server, log)
    }

    /// Begins with other settings than the usual ones.
    pub fn at(server: Server, log: Arc<Log>) -> Self {
        static BORN: AtomicUsize = AtomicUsize::new(1);
        let (sender, told) = watch::channel(Told::Nothing);
        let shutdown = CancellationToken::new();
        let parts = Parts {
            head: log.head(),
            log: Arc::clone(&log) as Arc<dyn EventLog>,
            report: Arc::new(Reporter(sender)),
            shutdown: shutdown.clone(),
        };
        let (bus, mirror) = RedisBus::new(server, parts);
        Self {
            bus,
            log,
            told,
            mirror: tokio::spawn(mirror.run()),
            shutdown,
            born: BORN.fetch_add(1, Ordering::Relaxed) as u64,
        }
    }

    /// Stores and publishes as many events; returns the last number.
    pub fn publish(&self, count: usize) -> u64 {
        for _ in 0..count {
            let event = self.log.store(1_790_000_000_000 + self.born);
            let payload = Payload::event(event.seq, event.json);
            self.bus.publish(&event.topic, payload);
        }
        self.log.head()
    }

    /// Publishes streaming text.
    pub fn delta(&self, text: &str) {
        self.bus
            .publish("workflow.1.deltas", Payload::delta(text.to_owned()));
    }

    /// The reason, which has to come in time.
    pub async fn degraded(&mut self) -> String {
        let told = self.told.wait_for(|told| matches!(told, Told::Degraded(_)));
        match timeout(TOLD_WITHIN, told).await {
            Ok(Ok(told)) => match &*told {
                Told::Degraded(reason) => reason.clone(),
                Told::Nothing | Told::Recovered => unreachable!("waited for"),
            },
            Ok(Err(_)) => panic!("the mirror is gone"),
            Err(_) => panic!("not told within {TOLD_WITHIN:?}"),
        }
    }

    /// Waits until it works, again or at all.
    pub async fn works(&mut self) {
        let told = self.told.wait_for(|told| *told == Told::Recovered);
        let waited = timeout(LONG, told)
            .await
            .map(|told| drop(told.expect("the mirror is there")));
        match waited {
            Ok(()) => {}
            Err(_) => panic!("still {:?}", self.told()),
        }
    }

    /// What was told last.
    pub fn told(&self) -> Told {
        self.told.borrow().clone()
    }

    /// Ends it as a signal does; returns its log.
    pub async fn stop(self) -> Arc<Log> {
        self.shutdown.cancel();
        timeout(LONG, self.mirror)
            .await
            .expect("the mirror ends")
            .expect("in order");
        self.log
    }
}

/// Where an event goes: three topics take turns.
pub fn topic(seq: u64) -> String {
    match seq % 3 {
        0 => "agent.7.status".to_owned(),
        1 => "workflow.1.events".to_owned(),
        _ => "broadcast.system".to_owned(),
    }
}
