//! What calls cost that ended without a word about it: a broken stream, a stopped run, a crash. Providers
//! keep books; this asks them, with patience, and hands in what they say. The log notes a call once its
//! answer begins, so that a crash forgets none.
//!
//! Refused here: guessing. What no book knows stays unknown.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use domain::{
    id::RunId,
    run::{
        LateCost,
        decide::LiveRun,
        input::{CallPriced, Input, Outcome, Rejection},
    },
};
use futures::{StreamExt, stream::FuturesUnordered};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    kernel::{Handle, Refusal},
    recovery::{graph_of, live_run},
};
use crate::{
    clock::Clock,
    llm::{Late, LateAnswer, Providers},
    store::{
        Store, StoreError,
        calls::{OpenCall, OpenCalls},
    },
};

/// The waits before a provider is asked the first time, the second time, and so on. A book that knows
/// nothing after the last of them will not know more.
const ASK_AFTER: [Duration; 8] = [
    Duration::from_secs(2),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(120),
];

/// The wait after a provider could not be asked: it is down, or not set up just now.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// After that many hours nobody is asked any more.
const MOST_HOURS: u64 = 24;

/// Calls that are taken in at once.
const BATCH: usize = 1_024;

/// Questions that one provider is asked at once. One that is silent keeps nobody waiting for the others.
const AT_ONCE: usize = 4;

/// Where calls are handed in that are over and whose cost nobody knows.
#[derive(Clone, Default)]
pub struct Calls(Option<mpsc::UnboundedSender<OpenCall>>);

impl Calls {
    /// A call is over, and nobody said what it cost.
    pub fn over(&self, call: OpenCall) {
        if let Some(to) = &self.0 {
            // Nobody listens any more when the server goes down; the next start looks.
            let _down = to.send(call);
        }
    }
}

/// What it needs.
pub struct Means {
    /// Where calls are noted.
    pub calls: Arc<dyn OpenCalls>,
    /// Where runs are read that ended.
    pub store: Arc<dyn Store>,
    /// Whom to ask.
    pub providers: Arc<Providers>,
    /// Where answers go.
    pub kernel: Handle,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Ends it.
    pub shutdown: CancellationToken,
}

/// A pair of ends: one to hand calls in, one that looks after them.
pub fn late_costs(means: Means) -> (Calls, LateCosts) {
    let (tell, told) = mpsc::unbounded_channel();
    let work = LateCosts {
        means: Arc::new(means),
        told,
        due: BTreeMap::new(),
        line: Line::default(),
    };
    (Calls(Some(tell)), work)
}

/// Looks for costs.
pub struct LateCosts {
    means: Arc<Means>,
    told: mpsc::UnboundedReceiver<OpenCall>,
    due: BTreeMap<(Instant, String), Lost>,
    line: Line,
}

/// Who is asked how much.
#[derive(Default)]
struct Line {
    /// How many questions each provider is asked just now.
    asking: HashMap<String, usize>,
    /// What is due, and waits for those.
    waiting: HashMap<String, VecDeque<Lost>>,
}

impl Line {
    /// A call is due: it is asked for now, or when its provider has answered others.
    fn ask(&mut self, lost: Lost) -> Option<Lost> {
        let provider = lost_provider(&lost);
        let asking = self.asking.entry(provider.clone()).or_default();
        if *asking >= AT_ONCE {
            self.waiting.entry(provider).or_default().push_back(lost);
            return None;
        }
        *asking += 1;
        Some(lost)
    }

    /// A provider answered, or did not in time: the next in line may be asked for.
    fn answered(&mut self, provider: &str) -> Option<Lost> {
        let next = self.waiting.get_mut(provider).and_then(VecDeque::pop_front);
        if next.is_none() {
            self.waiting.remove(provider);
            if let Some(asking) = self.asking.get_mut(provider) {
                *asking -= 1;
                if *asking == 0 {
                    self.asking.remove(provider);
                }
            }
        }
        next
    }
}

/// A call that is over, and nobody said what it cost.
#[derive(Debug)]
struct Lost {
    call: OpenCall,
    /// How often the provider's book knew nothing.
    asked: usize,
}

/// What comes of a look.
enum Found {
    /// Nothing is left to do.
    Settled,
    /// Look again after that time.
    Later(Duration),
    /// The book knows nothing yet.
    Nothing,
}

/// What is done after a look.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Forget,
    Again { asked: usize, wait: Duration },
    GiveUp,
}

/// What is done with a call of that age (in milliseconds) after a look, of which `asked` before brought
/// nothing.
fn next(found: Found, asked: usize, age_ms: u64) -> Next {
    match found {
        Found::Settled => Next::Forget,
        Found::Later(wait) if age_ms < MOST_HOURS * 3_600_000 => Next::Again { asked, wait },
        Found::Nothing => match ASK_AFTER.get(asked + 1) {
            Some(wait) => Next::Again {
                asked: asked + 1,
                wait: *wait,
            },
            None => Next::GiveUp,
        },
        Found::Later(_) => Next::GiveUp,
    }
}

impl LateCosts {
    /// Works until shutdown.
    pub async fn run(mut self) {
        let shutdown = self.means.shutdown.clone();
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            () = self.work() => {}
        }
    }

    async fn work(&mut self) {
        match self.means.calls.open_calls().await {
            Ok(left) => left.into_iter().for_each(|call| self.lose(call)),
            Err(error) => tracing::warn!(%error, "calls without a cost cannot be read"),
        }
        let mut told = Vec::new();
        let mut looks = FuturesUnordered::new();
        loop {
            let next = self.due.first_key_value().map(|((at, _), _)| *at);
            let moment = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                count = self.told.recv_many(&mut told, BATCH) => {
                    if count == 0 {
                        return;
                    }
                    // The log knows most of them; of one that began as its run ended it knows nothing.
                    if let Err(error) = self.means.calls.note_calls(&told).await {
                        tracing::warn!(%error, "calls cannot be noted; a crash would lose what they cost");
                    }
                    told.drain(..).for_each(|call| self.lose(call));
                }
                Some((lost, next)) = looks.next() => {
                    let provider = lost_provider(&lost);
                    self.looked(lost, next);
                    looks.extend(self.line.answered(&provider).map(|lost| look(Arc::clone(&self.means), lost)));
                }
                () = moment => {
                    let due = self.due.pop_first().map(|(_, lost)| lost);
                    looks.extend(due.and_then(|lost| self.line.ask(lost)).map(|lost| look(Arc::clone(&self.means), lost)));
                }
            }
        }
    }

    fn looked(&mut self, lost: Lost, next: Next) {
        match next {
            Next::Again { asked, wait } => {
                let call = lost.call;
                self.later(Lost { call, asked }, wait);
            }
            Next::Forget | Next::GiveUp => {}
        }
    }

    fn lose(&mut self, call: OpenCall) {
        self.later(Lost { call, asked: 0 }, ASK_AFTER[0]);
    }

    fn later(&mut self, lost: Lost, wait: Duration) {
        let key = (Instant::now() + wait, lost.call.generation_id.clone());
        self.due.insert(key, lost);
    }
}

fn lost_provider(lost: &Lost) -> String {
    lost.call.provider.clone()
}

/// Looks once for what a call cost; what is settled is forgotten.
async fn look(means: Arc<Means>, lost: Lost) -> (Lost, Next) {
    let Lost { call, asked } = &lost;
    let age = means.clock.now().ms_since(call.began_at);
    let found = match means.find(call).await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(%error, "what a call cost cannot be stored now");
            Found::Later(LOOK_AGAIN)
        }
    };
    let next = next(found, *asked, age);
    match &next {
        Next::Forget => means.forget(call).await,
        Next::GiveUp => {
            let name = &call.generation_id;
            tracing::warn!(call = name, "what this call cost stays unknown");
            means.forget(call).await;
        }
        Next::Again { .. } => {}
    }
    (lost, next)
}

impl Means {
    async fn forget(&self, call: &OpenCall) {
        if let Err(error) = self.calls.forget_call(&call.generation_id).await {
            tracing::warn!(%error, "a call is not forgotten, and is asked for again after a start");
        }
    }

    async fn find(&self, call: &OpenCall) -> Result<Found, StoreError> {
        let Some(llm) = self.providers.get(&call.provider) else {
            return Ok(Found::Later(LOOK_AGAIN));
        };
        match llm.late_cost(&call.generation_id).await {
            Ok(Late::Known(answer)) => self.hand_in(call, answer).await,
            Ok(Late::NotYet) => Ok(Found::Nothing),
            Ok(Late::Never) => Ok(Found::Settled),
            Err(error) => {
                tracing::debug!(%error, "a provider's books cannot be read now");
                Ok(Found::Later(LOOK_AGAIN))
            }
        }
    }

    async fn hand_in(&self, call: &OpenCall, answer: LateAnswer) -> Result<Found, StoreError> {
        let late = LateCost {
            generation_id: call.generation_id.clone(),
            provider: call.provider.clone(),
            model: answer.model.unwrap_or_else(|| call.model.clone()),
            cost_usd: answer.cost,
            prompt_tokens: answer.prompt_tokens,
            completion_tokens: answer.completion_tokens,
            assumed_usd: Default::default(),
            assumed_tokens: 0,
            counted: false,
            counted_at: call.began_at,
        };
        let priced = |ended| {
            let priced = CallPriced {
                key: call.key.clone(),
                turn: call.turn,
                late: late.clone(),
                ended,
            };
            Input::Outcome(Outcome::CallPriced(Box::new(priced)))
        };
        let mut answered = self.kernel.submit(priced(None)).await;
        if let Err(Refusal::Rejected(Rejection::NoSuchRun(_))) = &answered {
            let Some(ended) = self.ended(call.key.run).await? else {
                // Removed with all that it cost.
                return Ok(Found::Settled);
            };
            answered = self.kernel.submit(priced(Some(Box::new(ended)))).await;
        }
        match answered {
            Ok(_) => Ok(Found::Settled),
            Err(Refusal::Rejected(Rejection::Stale) | Refusal::Closing) => {
                Ok(Found::Later(ASK_AFTER[0]))
            }
            Err(refusal) => {
                tracing::debug!(%refusal, "a cost was known already");
                Ok(Found::Settled)
            }
        }
    }

    /// A run that ended, from its log; `None` when it was removed.
    async fn ended(&self, run: RunId) -> Result<Option<LiveRun>, StoreError> {
        let store = &*self.store;
        let Some((workflow, version)) = store.run_origin(run).await? else {
            return Ok(None);
        };
        let graph = graph_of(store, workflow, version).await?;
        live_run(store, run, graph).await.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use domain::{id::TaskName, run::AttemptKey, time::Timestamp};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_book_that_knows_nothing_is_asked_eight_times_within_four_minutes() {
        let (mut asked, mut waited, mut looks) = (0, ASK_AFTER[0], 1);
        while let Next::Again { asked: more, wait } = next(Found::Nothing, asked, 0) {
            asked = more;
            waited += wait;
            looks += 1;
        }
        assert_eq!((looks, waited), (8, Duration::from_secs(242)));
    }

    #[test]
    fn who_cannot_be_asked_is_asked_again_for_a_day() {
        let later = |age_ms| next(Found::Later(LOOK_AGAIN), 3, age_ms);
        let day_ms = 24 * 3_600_000;
        let again = Next::Again {
            asked: 3,
            wait: LOOK_AGAIN,
        };
        assert_eq!(later(day_ms - 1), again, "a look that failed is none");
        assert_eq!(later(day_ms), Next::GiveUp);
        assert_eq!(next(Found::Settled, 0, day_ms), Next::Forget);
    }

    #[test]
    fn a_silent_provider_keeps_others_from_nothing() {
        let mut line = Line::default();
        let lost = |provider: &str, name: usize| Lost {
            call: OpenCall {
                generation_id: name.to_string(),
                provider: provider.to_owned(),
                model: "m".to_owned(),
                key: AttemptKey {
                    run: RunId(Uuid::from_u128(1)),
                    task: TaskName::parse("t").expect("a name"),
                    attempt: 1,
                },
                turn: 1,
                began_at: Timestamp(0),
            },
            asked: 0,
        };
        let asked = |lost: Option<Lost>| lost.map(|lost| lost.call.generation_id);
        for name in 0..AT_ONCE {
            assert!(line.ask(lost("silent", name)).is_some());
        }
        assert!(
            line.ask(lost("silent", 10)).is_none(),
            "it has enough to do"
        );
        assert!(line.ask(lost("silent", 11)).is_none());
        assert!(line.ask(lost("other", 20)).is_some());
        assert_eq!(asked(line.answered("silent")).as_deref(), Some("10"));
        assert_eq!(asked(line.answered("silent")).as_deref(), Some("11"));
        assert_eq!(asked(line.answered("silent")), None);
        assert!(line.ask(lost("silent", 12)).is_some(), "one has come back");
        assert!(line.ask(lost("silent", 13)).is_none());
    }
}
