//! The sums: what was spent and what is reserved, for everything that can have a budget. A task has
//! at most one call open at a time, so a reservation is known by its run and task.

use std::collections::{BTreeMap, HashMap};

use super::{Amount, Budget, Notice, Period, Price, Quote, Scope};
use crate::id::{RunId, TaskName};

/// Which call: the one that this task of this run has open.
pub type Call = (RunId, TaskName);

/// What may become of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may be made; this is to be set aside for it.
    Fits(Amount),
    /// It fits once others that are under way have cost less than was set aside for them.
    Later,
    /// It could pass this limit.
    Exceeds(Notice),
    /// There is a limit in money here, and nobody knows what the call costs.
    NoPrice(Scope),
}

/// A limit that was used up to four fifths just now.
pub type Crossed = Notice;

/// What was spent, and what is reserved, for everything that can have a budget.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    budgets: BTreeMap<Scope, Budget>,
    accounts: HashMap<Scope, Account>,
    open: HashMap<Call, Open>,
    /// Whether anything became free since this was asked last.
    freed: bool,
}

/// The sums of one scope.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Account {
    total: Amount,
    /// The day that `today` is of.
    day: i64,
    today: Amount,
    reserved: Amount,
}

#[derive(Debug, Clone)]
struct Open {
    scopes: Vec<Scope>,
    amount: Amount,
}

impl Account {
    fn spent(&self, period: Period, day: i64) -> Amount {
        match period {
            Period::Total => self.total,
            Period::Day if self.day == day => self.today,
            Period::Day => Amount::default(),
        }
    }

    fn add(&mut self, amount: Amount, day: i64) {
        if self.day != day {
            self.day = day;
            self.today = Amount::default();
        }
        self.today = self.today.plus(amount);
        self.total = self.total.plus(amount);
    }
}

impl Ledger {
    /// Sets a limit, or takes it away. What was spent stays spent.
    pub fn set(&mut self, scope: Scope, budget: Option<Budget>) {
        self.freed = true;
        match budget.filter(Budget::is_some) {
            Some(budget) => {
                let budget = match scope {
                    // A day is a day.
                    Scope::Day => Budget {
                        period: Period::Day,
                        ..budget
                    },
                    Scope::Run(_) => Budget {
                        period: Period::Total,
                        ..budget
                    },
                    Scope::Workflow(_) | Scope::Agent(_) | Scope::Provider(_) => budget,
                };
                self.budgets.insert(scope, budget);
            }
            None => {
                self.budgets.remove(&scope);
            }
        }
    }

    /// Every limit.
    pub fn budgets(&self) -> impl Iterator<Item = (&Scope, &Budget)> {
        self.budgets.iter()
    }

    /// Adds what was spent before this ledger was there: in all, and on this day.
    pub fn carry(&mut self, scope: Scope, total: Amount, today: Amount, day: i64) {
        let account = self.accounts.entry(scope).or_default();
        if account.day != day {
            account.day = day;
            account.today = Amount::default();
        }
        account.total = account.total.plus(total);
        account.today = account.today.plus(today);
    }

    /// Whether a call may be made now. What it has reserved already does not stand in its way.
    pub fn weigh(&self, call: &Call, scopes: &[Scope], quote: Quote, day: i64) -> Verdict {
        let wanted = quote.amount();
        let own = self.open.get(call);
        let mut later = false;
        for scope in scopes {
            let Some(budget) = self.budgets.get(scope) else {
                continue;
            };
            if budget.usd.is_some() && quote.price == Price::Unknown {
                return Verdict::NoPrice(scope.clone());
            }
            let account = self.accounts.get(scope).copied().unwrap_or_default();
            let spent = account.spent(budget.period, day);
            if !fits(budget, spent, wanted) {
                return Verdict::Exceeds(Notice {
                    scope: scope.clone(),
                    budget: *budget,
                    spent,
                    needed: wanted,
                });
            }
            let own = own
                .filter(|open| open.scopes.contains(scope))
                .map(|open| open.amount)
                .unwrap_or_default();
            let others = account.reserved.minus(own);
            later |= !fits(budget, spent.plus(others), wanted);
        }
        if later {
            Verdict::Later
        } else {
            Verdict::Fits(wanted)
        }
    }

    /// Sets aside what a call may cost, in the place of what it had set aside before.
    pub fn reserve(&mut self, call: Call, scopes: Vec<Scope>, amount: Amount) {
        self.release(&call);
        for scope in &scopes {
            let account = self.accounts.entry(scope.clone()).or_default();
            account.reserved = account.reserved.plus(amount);
        }
        self.open.insert(call, Open { scopes, amount });
    }

    /// A call ended without a cost that anybody knows of.
    pub fn release(&mut self, call: &Call) {
        let Some(open) = self.open.remove(call) else {
            return;
        };
        // Where nothing is limited, nobody waits for it.
        self.freed |= open
            .scopes
            .iter()
            .any(|scope| self.budgets.contains_key(scope));
        for scope in &open.scopes {
            if let Some(account) = self.accounts.get_mut(scope) {
                account.reserved = account.reserved.minus(open.amount);
            }
        }
    }

    /// Nothing of a run is under way any more.
    pub fn release_run(&mut self, run: RunId) {
        let calls: Vec<Call> = self
            .open
            .keys()
            .filter(|(of, _)| *of == run)
            .cloned()
            .collect();
        for call in calls {
            self.release(&call);
        }
    }

    /// A call brought its answer: what it cost takes the place of what was set aside. Gives back the
    /// limits of which four fifths are used from now on.
    pub fn settle(
        &mut self,
        call: &Call,
        scopes: &[Scope],
        cost: Amount,
        day: i64,
    ) -> Vec<Crossed> {
        self.release(call);
        self.book(scopes, cost, day)
    }

    /// Adds what turned out later. Gives back limits as `settle` does.
    pub fn book(&mut self, scopes: &[Scope], cost: Amount, day: i64) -> Vec<Crossed> {
        self.change(scopes, day, |account| account.add(cost, day))
    }

    /// What a call cost turned out after its end: on the day on which it was counted, that takes the place
    /// of what was assumed. Gives back limits as `settle` does.
    pub fn correct(
        &mut self,
        scopes: &[Scope],
        assumed: Amount,
        cost: Amount,
        counted_on: i64,
    ) -> Vec<Crossed> {
        self.freed |= assumed.usd > cost.usd || assumed.tokens > cost.tokens;
        self.change(scopes, counted_on, |account| {
            account.total = account.total.minus(assumed).plus(cost);
            // A day that is over takes no part in any limit.
            if account.day == counted_on {
                account.today = account.today.minus(assumed).plus(cost);
            }
        })
    }

    /// Gives back the limits of which four fifths are used by this change and were not before.
    fn change(
        &mut self,
        scopes: &[Scope],
        day: i64,
        change: impl Fn(&mut Account),
    ) -> Vec<Crossed> {
        let mut crossed = Vec::new();
        for scope in scopes {
            let account = self.accounts.entry(scope.clone()).or_default();
            let budget = self.budgets.get(scope);
            let before = budget.map(|budget| account.spent(budget.period, day));
            change(account);
            if let (Some(budget), Some(before)) = (budget, before) {
                let spent = account.spent(budget.period, day);
                if budget.used_permille(before) < WARN_AT && budget.used_permille(spent) >= WARN_AT
                {
                    crossed.push(Notice {
                        scope: scope.clone(),
                        budget: *budget,
                        spent,
                        needed: Amount::default(),
                    });
                }
            }
        }
        crossed
    }

    /// What was spent on a scope in a period.
    pub fn spent(&self, scope: &Scope, period: Period, day: i64) -> Amount {
        self.accounts
            .get(scope)
            .map(|account| account.spent(period, day))
            .unwrap_or_default()
    }

    /// What is set aside on a scope.
    pub fn reserved(&self, scope: &Scope) -> Amount {
        self.accounts
            .get(scope)
            .map(|account| account.reserved)
            .unwrap_or_default()
    }

    /// Calls that have something set aside.
    pub fn open(&self) -> impl Iterator<Item = (&Call, Amount)> {
        self.open.iter().map(|(call, open)| (call, open.amount))
    }

    /// Whether anything became free since this was asked last.
    pub fn take_freed(&mut self) -> bool {
        std::mem::take(&mut self.freed)
    }

    /// Forgets a scope that nothing is spent on any more: a run at its end, an agent that is gone.
    pub fn forget(&mut self, scope: &Scope) {
        self.budgets.remove(scope);
        self.accounts.remove(scope);
    }
}

/// From this share of a limit on, in thousandths, people are warned.
const WARN_AT: u64 = 800;

/// Whether a call that wants so much stays within the limit. What wants nothing passes no limit; where one
/// is passed already it is not made either, as its server may charge what nobody expected.
fn fits(budget: &Budget, spent: Amount, wanted: Amount) -> bool {
    let then = spent.plus(wanted);
    let asks = Budget {
        usd: budget.usd.filter(|_| wanted.usd.0 > 0),
        tokens: budget.tokens.filter(|_| wanted.tokens > 0),
        ..*budget
    };
    let passed = budget.usd.is_some_and(|limit| spent.usd > limit);
    !passed && asks.holds(then)
}
