//! The bus within one process.

use std::sync::{Arc, PoisonError, RwLock, Weak};

use super::{Bus, Payload, Subscription, subscription::Queue};

/// Hands payloads from queue to queue, in the publisher's own thread.
#[derive(Debug, Default)]
pub struct MemoryBus {
    queues: RwLock<Vec<Weak<Queue>>>,
}

impl Bus for MemoryBus {
    fn publish(&self, topic: &str, payload: Payload) {
        let mut gone = false;
        for queue in self
            .queues
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            match queue.upgrade() {
                Some(queue) => queue.offer(topic, &payload),
                None => gone = true,
            }
        }
        // Whoever holds the lock now is about to add a queue and cleans up as well.
        if gone && let Ok(mut queues) = self.queues.try_write() {
            queues.retain(|queue| queue.strong_count() > 0);
        }
    }

    fn subscribe(&self, patterns: Vec<String>) -> Subscription {
        let queue = Arc::new(Queue::new(patterns));
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|queue| queue.strong_count() > 0);
        queues.push(Arc::downgrade(&queue));
        Subscription::new(queue)
    }
}

impl Drop for MemoryBus {
    fn drop(&mut self) {
        for queue in self
            .queues
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            if let Some(queue) = queue.upgrade() {
                queue.close();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU64, Ordering},
        time::Duration,
    };

    use domain::frame::{Delta, Frame};

    use super::*;
    use crate::bus::{Class, MAX_BYTES, MAX_MESSAGES, Received, Switched};

    const RUN: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn event(seq: u64) -> Payload {
        Payload::event(seq, format!("{{\"seq\":{seq}}}"))
    }

    fn delta(task: &str, offset: u64, text: &str) -> Payload {
        let delta = serde_json::json!({
            "kind": "delta", "workflow_id": RUN, "run_id": RUN, "task": task,
            "attempt": 1, "turn": 1, "offset": offset, "text": text,
        });
        Payload::delta(delta.to_string())
    }

    fn read_delta(payload: &Payload) -> Delta {
        match serde_json::from_str(payload.json()).expect("a frame") {
            Frame::Delta(delta) => delta,
            other => panic!("{other:?}"),
        }
    }

    fn everything(bus: &MemoryBus) -> Subscription {
        bus.subscribe(vec!["*".into()])
    }

    /// What waits, in short: `7` is an event, `a@0+2` is a delta, `m` are figures, `!` is the end.
    async fn waiting(subscription: &mut Subscription) -> String {
        let mut seen = Vec::new();
        while let Some(received) = subscription.try_recv() {
            match received {
                Received::Message(payload) => seen.push(match payload.class() {
                    Class::Event { seq } => seq.to_string(),
                    Class::Metrics => "m".to_owned(),
                    Class::Delta => {
                        let delta = read_delta(&payload);
                        format!("{}@{}+{}", delta.task, delta.offset, delta.text.len())
                    }
                }),
                Received::TooSlow => {
                    seen.push("! slow".to_owned());
                    break;
                }
                Received::Closed => {
                    seen.push("! closed".to_owned());
                    break;
                }
            }
        }
        seen.join(" ")
    }

    #[tokio::test]
    async fn topics_reach_those_who_asked_for_them() {
        let bus = MemoryBus::default();
        let mut all = everything(&bus);
        let mut workflows = bus.subscribe(vec!["workflow.*".into()]);
        let mut two = bus.subscribe(vec!["agent.*".into(), "workflow.1.*".into()]);
        let mut nothing = bus.subscribe(vec![]);
        bus.publish("workflow.1.events", event(1));
        bus.publish("agent.7.status", event(2));
        bus.publish("workflow.2.events", event(3));
        assert_eq!(waiting(&mut all).await, "1 2 3");
        assert_eq!(waiting(&mut workflows).await, "1 3");
        assert_eq!(waiting(&mut two).await, "1 2");
        assert_eq!(waiting(&mut nothing).await, "");
    }

    #[tokio::test]
    async fn a_frame_is_shared_not_copied() {
        let bus = MemoryBus::default();
        let (mut one, mut other) = (everything(&bus), everything(&bus));
        let sent = event(1);
        bus.publish("x", sent.clone());
        for subscription in [&mut one, &mut other] {
            let Received::Message(got) = subscription.recv().await else {
                panic!("ended")
            };
            assert_eq!(got.bytes().as_ptr(), sent.bytes().as_ptr());
        }
    }

    #[tokio::test]
    async fn every_event_counts_too_many_end_the_subscription() {
        let bus = MemoryBus::default();
        let (mut slow, mut quick) = (everything(&bus), everything(&bus));
        let mut seen = 0;
        for seq in 1..=(MAX_MESSAGES as u64 + 1) {
            bus.publish("x", event(seq));
            while let Some(Received::Message(_)) = quick.try_recv() {
                seen += 1;
            }
        }
        assert_eq!(
            seen,
            MAX_MESSAGES + 1,
            "who keeps up is not touched by who does not"
        );
        slow.ended().await;
        assert_eq!(waiting(&mut slow).await, "! slow");
        assert_eq!(slow.recv().await, Received::TooSlow, "and it stays so");
        bus.publish("x", event(1_000));
        assert_eq!(slow.recv().await, Received::TooSlow);
    }

    #[tokio::test]
    async fn a_full_queue_is_still_whole() {
        let bus = MemoryBus::default();
        let mut subscription = everything(&bus);
        for seq in 1..=(MAX_MESSAGES as u64) {
            bus.publish("x", event(seq));
        }
        for seq in 1..=(MAX_MESSAGES as u64) {
            let Received::Message(payload) = subscription.recv().await else {
                panic!("ended")
            };
            assert_eq!(payload.class(), Class::Event { seq });
        }
    }

    #[tokio::test]
    async fn bytes_are_bounded_too_but_one_frame_always_fits() {
        let bus = MemoryBus::default();
        let mut subscription = everything(&bus);
        bus.publish("x", Payload::event(1, "x".repeat(3 * MAX_BYTES)));
        assert_eq!(waiting(&mut subscription).await, "1");
        bus.publish("x", Payload::event(2, "x".repeat(MAX_BYTES / 2)));
        bus.publish("x", Payload::event(3, "x".repeat(MAX_BYTES / 2)));
        assert_eq!(waiting(&mut subscription).await, "2 3");
        bus.publish("x", Payload::event(4, "x".repeat(MAX_BYTES / 2)));
        bus.publish("x", Payload::event(5, "x".repeat(MAX_BYTES / 2 + 1)));
        assert_eq!(waiting(&mut subscription).await, "! slow");
    }

    #[tokio::test]
    async fn deltas_make_way_for_events_the_oldest_first() {
        let bus = MemoryBus::default();
        let mut subscription = everything(&bus);
        // Deltas of many tasks, so that none can be joined to another.
        for at in 0..MAX_MESSAGES {
            bus.publish("x", delta(&format!("t{at}"), 0, "ab"));
        }
        bus.publish("x", event(1));
        bus.publish("x", event(2));
        let seen = waiting(&mut subscription).await;
        assert!(seen.starts_with("t2@0+2 t3@0+2"), "{seen}");
        let last = format!("t{}@0+2 1 2", MAX_MESSAGES - 1);
        assert!(seen.ends_with(&last), "{seen}");
    }

    #[tokio::test]
    async fn a_delta_never_costs_an_event() {
        let bus = MemoryBus::default();
        let mut subscription = everything(&bus);
        for seq in 1..=(MAX_MESSAGES as u64) {
            bus.publish("x", event(seq));
        }
        bus.publish("x", delta("late", 0, "lost"));
        bus.publish("x", Payload::metrics("{}".into()));
        let seen = waiting(&mut subscription).await;
        assert!(seen.starts_with("1 2 3 "), "{seen}");
        assert!(
            seen.ends_with(&format!(" {} {MAX_MESSAGES}", MAX_MESSAGES - 1)),
            "{seen}"
        );
    }

    #[tokio::test]
    async fn under_pressure_neighbours_are_joined_before_anything_is_lost() {
        let bus = MemoryBus::default();
        let mut subscription = everything(&bus);
        for offset in 0..10_000 {
            bus.publish("x", delta("a", offset * 2, "aa"));
            bus.publish("x", delta("b", offset * 2, "bb"));
        }
        bus.publish("x", event(1));
        let (mut a, mut b, mut frames) = (String::new(), String::new(), 0);
        while let Some(Received::Message(payload)) = subscription.try_recv() {
            frames += 1;
            if payload.class() == Class::Delta {
                let delta = read_delta(&payload);
                let text = if delta.task.as_str() == "a" {
                    &mut a
                } else {
                    &mut b
                };
                assert_eq!(delta.offset, text.len() as u64, "a gap");
                text.push_str(&delta.text);
            }
        }
        assert_eq!((a, b), ("a".repeat(20_000), "b".repeat(20_000)));
        assert!(frames < MAX_MESSAGES, "{frames}");
    }

    #[tokio::test]
    async fn text_behind_a_gap_is_not_joined() {
        let bus = MemoryBus::default();
        let mut subscription = everything(&bus);
        let many = MAX_MESSAGES as u64 - 10;
        for seq in 1..=many {
            bus.publish("x", event(seq));
        }
        bus.publish("x", delta("a", 0, "0123"));
        bus.publish("x", delta("a", 4, "45"));
        bus.publish("x", delta("a", 10, "ab"));
        bus.publish("x", delta("a", 12, "c"));
        let seen = waiting(&mut subscription).await;
        assert!(seen.ends_with(&format!(" {many} a@0+6 a@10+3")), "{seen}");
    }

    #[tokio::test]
    async fn of_figures_only_the_newest_waits() {
        let bus = MemoryBus::default();
        let mut subscription = everything(&bus);
        for _ in 0..3 {
            bus.publish("broadcast.metrics", Payload::metrics("{}".into()));
        }
        bus.publish("x", event(1));
        assert_eq!(waiting(&mut subscription).await, "m 1");
    }

    #[tokio::test]
    async fn patterns_change_between_two_events() {
        let bus = MemoryBus::default();
        let mut subscription = bus.subscribe(vec!["a.*".into()]);
        bus.publish("a.1", event(1));
        bus.publish("b.1", event(2));
        let Switched::Listening { queued, newest } = subscription.switch(vec!["b.*".into()]) else {
            panic!("ended")
        };
        let queued: Vec<Class> = queued.iter().map(Payload::class).collect();
        assert_eq!((queued, newest), (vec![Class::Event { seq: 1 }], 2));
        bus.publish("a.1", event(3));
        bus.publish("b.1", event(4));
        assert_eq!(waiting(&mut subscription).await, "4");
    }

    #[tokio::test]
    async fn whoever_left_costs_nothing() {
        let bus = MemoryBus::default();
        for _ in 0..1_000 {
            drop(everything(&bus));
        }
        bus.publish("x", event(1));
        assert_eq!(bus.queues.read().map(|queues| queues.len()).unwrap_or(9), 0);
    }

    #[tokio::test]
    async fn the_end_of_the_bus_is_heard_behind_what_waits() {
        let bus = MemoryBus::default();
        let mut subscription = everything(&bus);
        bus.publish("x", event(1));
        drop(bus);
        assert_eq!(waiting(&mut subscription).await, "1 ! closed");
    }

    #[tokio::test]
    async fn waiting_wakes_up() {
        let bus = Arc::new(MemoryBus::default());
        let mut subscription = everything(&bus);
        let publisher = tokio::spawn({
            let bus = bus.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                bus.publish("x", event(1));
            }
        });
        let received = tokio::time::timeout(Duration::from_secs(5), subscription.recv()).await;
        assert!(matches!(received, Ok(Received::Message(_))));
        publisher.await.expect("published");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_listeners_hear_everything_in_order() {
        const EVENTS: u64 = 2_000;
        const LISTENERS: u64 = 50;
        let bus = Arc::new(MemoryBus::default());
        let heard = Arc::new(AtomicU64::new(0));
        let listeners: Vec<_> = (0..LISTENERS)
            .map(|_| {
                let mut subscription = everything(&bus);
                let heard = heard.clone();
                tokio::spawn(async move {
                    let mut last = 0;
                    loop {
                        match subscription.recv().await {
                            Received::Message(payload) => match payload.class() {
                                Class::Event { seq } => {
                                    assert_eq!(seq, last + 1);
                                    last = seq;
                                    heard.fetch_add(1, Ordering::Relaxed);
                                }
                                Class::Delta | Class::Metrics => {}
                            },
                            Received::TooSlow => panic!("too slow at {last}"),
                            Received::Closed => return last,
                        }
                    }
                })
            })
            .collect();
        for seq in 1..=EVENTS {
            bus.publish("x", event(seq));
            // A machine with other things to do must not make anyone too slow here.
            while seq % 200 == 0 && heard.load(Ordering::Relaxed) < seq * LISTENERS {
                if listeners.iter().any(tokio::task::JoinHandle::is_finished) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        drop(bus);
        for listener in listeners {
            assert_eq!(listener.await.expect("listened"), EVENTS);
        }
    }
}
