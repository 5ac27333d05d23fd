//! The socket itself, in the browser only: opens what the session says, hands frames to it, and hands
//! what comes out to whoever registered.

use std::{cell::RefCell, collections::VecDeque, rc::Rc, time::Duration};

use domain::{
    event::Event,
    frame::{ClientFrame, Delta, Frame, Metrics},
    id::WorkflowId,
    time::Timestamp,
    topic,
};
use futures::{
    SinkExt, StreamExt,
    channel::mpsc,
    future::{AbortHandle, abortable},
};
use gloo_net::websocket::{Message, futures::WebSocket};
use leptos::{ev, prelude::*};
use wasm_bindgen_futures::spawn_local;

use super::{
    Connection,
    kept::Kept,
    local_now,
    session::{Action, Input, Session},
};

/// Frames that wait to be sent. Only subscriptions and pings go out: a full queue means a dead socket.
const OUTGOING: usize = 64;
/// Events of one moment reach the pages together: a burst costs one update, not hundreds. The first behind
/// a silence does not wait.
const GATHER: Duration = Duration::from_millis(16);
/// Clocks that differ by less are taken as equal; the difference is the time the page took to come.
const CLOCK_TOLERANCE_MS: i64 = 10_000;

type OnEvent = Rc<dyn Fn(&Event)>;
type OnDelta = Rc<dyn Fn(&Delta)>;
type OnReload = Rc<dyn Fn()>;

/// What waits to be handed to the pages.
enum News {
    Event(Box<Event>),
    Delta(Delta),
    Reload,
}

struct Inner {
    session: Session,
    set_connection: WriteSignal<Connection>,
    set_metrics: WriteSignal<Option<Metrics>>,
    set_now: WriteSignal<Timestamp>,
    shown: Connection,
    /// Server's clock minus this browser's, in milliseconds.
    clock_offset_ms: i64,
    socket: Option<(AbortHandle, mpsc::Sender<ClientFrame>)>,
    /// Counts sockets: what an older one still says is not heard.
    generation: u32,
    news: VecDeque<News>,
    gathering: bool,
    /// When news were handed to the pages last.
    handed_at: Timestamp,
    kept: Kept,
    next_handler: u32,
    on_event: Vec<(u32, OnEvent)>,
    on_delta: Vec<(u32, WorkflowId, OnDelta)>,
    on_reload: Vec<(u32, OnReload)>,
}

/// A handle to the tab's socket.
#[derive(Clone, Copy)]
pub struct Wire(StoredValue<Rc<RefCell<Inner>>, LocalStorage>);

impl Wire {
    pub fn new(
        set_connection: WriteSignal<Connection>,
        set_metrics: WriteSignal<Option<Metrics>>,
        set_now: WriteSignal<Timestamp>,
    ) -> Self {
        Self(StoredValue::new_local(Rc::new(RefCell::new(Inner {
            session: Session::default(),
            set_connection,
            set_metrics,
            set_now,
            shown: Connection::Connecting,
            clock_offset_ms: 0,
            socket: None,
            generation: 0,
            news: VecDeque::new(),
            gathering: false,
            handed_at: Timestamp::default(),
            kept: Kept::default(),
            next_handler: 0,
            on_event: Vec::new(),
            on_delta: Vec::new(),
            on_reload: Vec::new(),
        }))))
    }

    fn inner(self) -> Option<Rc<RefCell<Inner>>> {
        self.0.try_get_value()
    }

    /// Begins the stream behind `head`, once. The clock starts to tick.
    pub fn start(self, head: u64, server_now: Timestamp) {
        let Some(inner) = self.inner() else { return };
        let Some(after) = inner.borrow_mut().kept.begin(head) else {
            return;
        };
        let offset = server_now.0 - local_now().0;
        if offset.abs() >= CLOCK_TOLERANCE_MS {
            inner.borrow_mut().clock_offset_ms = offset;
        }
        self.feed(Input::Start { after });
        set_interval(
            move || {
                self.feed(Input::Tick);
                self.tick_clock();
            },
            Duration::from_secs(1),
        );
        let _online = window_event_listener(ev::online, move |_| self.nudge());
        let _looked_at = window_event_listener_untyped("visibilitychange", move |_| self.nudge());
        let _back = window_event_listener_untyped("pageshow", move |_| self.nudge());
    }

    pub fn last_seq(self) -> u64 {
        self.inner()
            .map_or(0, |inner| inner.borrow().session.cursor())
    }

    pub fn nudge(self) {
        self.feed(Input::Nudge);
    }

    pub fn on_event(self, handle: impl Fn(&Event) + 'static) {
        let id = self.register(|inner, id| inner.on_event.push((id, Rc::new(handle))));
        on_cleanup(move || self.forget(|inner| inner.on_event.retain(|(known, _)| *known != id)));
    }

    pub fn on_reload(self, handle: impl Fn() + 'static) {
        let id = self.register(|inner, id| inner.on_reload.push((id, Rc::new(handle))));
        on_cleanup(move || self.forget(|inner| inner.on_reload.retain(|(known, _)| *known != id)));
    }

    pub fn on_delta(self, workflow: WorkflowId, handle: impl Fn(&Delta) + 'static) {
        let id = self.register(|inner, id| inner.on_delta.push((id, workflow, Rc::new(handle))));
        self.feed(Input::Watch(topic::workflow_deltas(workflow)));
        on_cleanup(move || {
            self.forget(|inner| inner.on_delta.retain(|(known, ..)| *known != id));
            self.feed(Input::Unwatch(topic::workflow_deltas(workflow)));
        });
    }

    pub fn catch_up(self, head: u64, mut handle: impl FnMut(&Event)) -> bool {
        let Some(inner) = self.inner() else {
            return true;
        };
        let events = inner.borrow_mut().kept.since(head);
        events.iter().flatten().for_each(|event| handle(event));
        events.is_some()
    }

    fn register(self, add: impl FnOnce(&mut Inner, u32)) -> u32 {
        let Some(inner) = self.inner() else { return 0 };
        let mut inner = inner.borrow_mut();
        inner.next_handler += 1;
        let id = inner.next_handler;
        add(&mut inner, id);
        id
    }

    fn forget(self, remove: impl FnOnce(&mut Inner)) {
        if let Some(inner) = self.inner() {
            remove(&mut inner.borrow_mut());
        }
    }

    fn tick_clock(self) {
        let Some(inner) = self.inner() else { return };
        let inner = inner.borrow();
        inner
            .set_now
            .set(Timestamp(local_now().0 + inner.clock_offset_ms));
    }

    fn feed(self, input: Input) {
        let Some(inner) = self.inner() else { return };
        let now = local_now();
        let luck = (js_sys::Math::random() * 1e9) as u64;
        let actions = inner.borrow_mut().session.step(input, now, luck);
        for action in actions {
            self.perform(&inner, action);
        }
        let (connection, set, changed) = {
            let mut inner = inner.borrow_mut();
            let connection = inner.session.connection(now);
            let changed = connection != inner.shown;
            inner.shown = connection.clone();
            (connection, inner.set_connection, changed)
        };
        if changed {
            set.set(connection);
        }
    }

    fn perform(self, inner: &Rc<RefCell<Inner>>, action: Action) {
        match action {
            Action::Open { after, topics } => self.open(&mut inner.borrow_mut(), after, &topics),
            Action::Close => close(&mut inner.borrow_mut()),
            Action::Send(frame) => {
                let sent = inner
                    .borrow_mut()
                    .socket
                    .as_mut()
                    .is_some_and(|(_, out)| out.try_send(frame).is_ok());
                if !sent {
                    close(&mut inner.borrow_mut());
                    set_timeout(move || self.feed(Input::Closed), Duration::ZERO);
                }
            }
            Action::Deliver(event) => self.gather(inner, News::Event(event)),
            Action::Delta(delta) => self.gather(inner, News::Delta(delta)),
            Action::Reload => self.gather(inner, News::Reload),
            Action::Metrics(metrics) => {
                let set = inner.borrow().set_metrics;
                set.set(Some(metrics));
            }
            Action::Wake { in_ms } => set_timeout(
                move || self.feed(Input::Tick),
                Duration::from_millis(in_ms + 5),
            ),
        }
    }

    fn open(self, inner: &mut Inner, after: u64, topics: &[String]) {
        close(inner);
        inner.generation += 1;
        let generation = inner.generation;
        let Ok(socket) = WebSocket::open(&address(after, topics)) else {
            set_timeout(move || self.feed(Input::Closed), Duration::ZERO);
            return;
        };
        let (mut sink, mut stream) = socket.split();
        let (out, mut outgoing) = mpsc::channel::<ClientFrame>(OUTGOING);
        let (reader, abort) = abortable(async move {
            while let Some(Ok(message)) = stream.next().await {
                if let Message::Text(text) = message {
                    self.heard(generation, &text);
                }
            }
            self.lost(generation);
        });
        inner.socket = Some((abort, out));
        spawn_local(async move {
            let _ended = reader.await;
        });
        spawn_local(async move {
            while let Some(frame) = outgoing.next().await {
                let Ok(text) = serde_json::to_string(&frame) else {
                    continue;
                };
                if sink.send(Message::Text(text)).await.is_err() {
                    break;
                }
            }
        });
    }

    fn heard(self, generation: u32, text: &str) {
        if self.is_newest(generation) {
            self.feed(
                serde_json::from_str::<Frame>(text)
                    .map_or(Input::Garbage, |frame| Input::Frame(Box::new(frame))),
            );
        }
    }

    fn lost(self, generation: u32) {
        if self.is_newest(generation) {
            self.feed(Input::Closed);
        }
    }

    fn is_newest(self, generation: u32) -> bool {
        self.inner()
            .is_some_and(|inner| inner.borrow().generation == generation)
    }

    fn gather(self, inner: &Rc<RefCell<Inner>>, news: News) {
        let mut inner = inner.borrow_mut();
        inner.news.push_back(news);
        if !inner.gathering {
            inner.gathering = true;
            let since = Duration::from_millis(local_now().ms_since(inner.handed_at));
            set_timeout(move || self.hand_over(), GATHER.saturating_sub(since));
        }
    }

    fn hand_over(self) {
        let Some(inner) = self.inner() else { return };
        let news = {
            let mut inner = inner.borrow_mut();
            inner.gathering = false;
            inner.handed_at = local_now();
            std::mem::take(&mut inner.news)
        };
        for item in news {
            match item {
                News::Event(event) => {
                    let event = Rc::new(*event);
                    let handlers: Vec<OnEvent> = {
                        let mut inner = inner.borrow_mut();
                        let ahead_ms = event.at.0 - local_now().0;
                        inner.clock_offset_ms = inner.clock_offset_ms.max(ahead_ms);
                        inner.kept.push(event.clone());
                        inner
                            .on_event
                            .iter()
                            .map(|(_, handle)| handle.clone())
                            .collect()
                    };
                    handlers.iter().for_each(|handle| handle(&event));
                }
                News::Delta(delta) => {
                    let handlers: Vec<OnDelta> = inner
                        .borrow()
                        .on_delta
                        .iter()
                        .filter(|(_, workflow, _)| *workflow == delta.workflow_id)
                        .map(|(_, _, handle)| handle.clone())
                        .collect();
                    handlers.iter().for_each(|handle| handle(&delta));
                }
                News::Reload => {
                    let handlers: Vec<OnReload> = {
                        let mut inner = inner.borrow_mut();
                        let cursor = inner.session.cursor();
                        inner.kept.restart(cursor);
                        inner
                            .on_reload
                            .iter()
                            .map(|(_, handle)| handle.clone())
                            .collect()
                    };
                    handlers.iter().for_each(|handle| handle());
                }
            }
        }
    }
}

fn close(inner: &mut Inner) {
    if let Some((abort, _)) = inner.socket.take() {
        abort.abort();
    }
}

fn address(after: u64, topics: &[String]) -> String {
    let location = window().location();
    let scheme = if location.protocol().is_ok_and(|scheme| scheme == "https:") {
        "wss"
    } else {
        "ws"
    };
    let host = location.host().unwrap_or_default();
    format!(
        "{scheme}://{host}/ws/events?after={after}&topics={}",
        topics.join(",")
    )
}
