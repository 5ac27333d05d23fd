//! The task list and the timeline in one: a row for each task with its figures and its bar. Only the
//! rows near the view are mounted, so that a thousand tasks scroll like ten. While time goes on, one
//! style property moves every open bar and the line of now.

use domain::id::TaskName;
use leptos::{ev, html, prelude::*};

use crate::{
    components::{Glyph, Icon, StatusGlyph},
    run_view::{
        bars::{self, Axis, Segment},
        rounds::{self, Row},
        said,
        selection::Selection,
        watch::Watch,
    },
    words,
};

/// Height of a row in pixels; `style/run.scss` has the same number.
const ROW_PX: usize = 34;
/// Rows that are mounted: more than any screen shows.
const MOUNTED: usize = 80;
/// Rows that are mounted before the first one in view, and the step in which the window moves.
const MARGIN: usize = 16;

/// The first row that is mounted when the list is scrolled down so far.
fn first_mounted(scrolled_px: i32) -> usize {
    let row = usize::try_from(scrolled_px).unwrap_or(0) / ROW_PX;
    (row / MARGIN * MARGIN).saturating_sub(MARGIN)
}

/// Tasks and their timeline.
#[component]
pub fn Tasks(watch: Watch, selection: Selection) -> impl IntoView {
    let list = NodeRef::<html::Div>::new();
    let all = selection.rows;
    let count = move || all.with(|rows| rows.len());
    let scrolled = RwSignal::new(0);
    let first = Memo::new(move |_| first_mounted(scrolled.get()));
    let rows = move || {
        all.with(|rows| {
            rows.iter()
                .cloned()
                .enumerate()
                .skip(first.get())
                .take(MOUNTED)
                .collect::<Vec<_>>()
        })
    };
    let place = Memo::new(move |_| {
        let shown = selection.shown.get()?;
        all.with(|rows| rounds::place(rows, &shown))
    });
    Effect::new(move |_| {
        if let (Some(list), Some(place)) = (list.get(), place.get()) {
            reveal(&list, place);
        }
    });
    let active = move || {
        let place = place.get()?;
        (first.get()..first.get() + MOUNTED)
            .contains(&place)
            .then(|| format!("task-{place}"))
    };
    view! {
        <section class="run-tasks" aria-label="Tasks" style=move || time_style(watch)>
            <AxisMarks watch/>
            <div
                class="task-list"
                role="listbox"
                aria-label="Tasks"
                tabindex="0"
                aria-activedescendant=active
                node_ref=list
                on:scroll=move |_| scrolled.set(list.get_untracked().map_or(0, |list| list.scroll_top()))
                on:keydown=move |event| move_by_key(selection, &event, count())
            >
                <div class="task-rows" role="presentation" style=move || format!("height:{}px", count() * ROW_PX)>
                    <For each=rows key=|(place, row)| (*place, row.name.clone()) let:row>
                        <TaskRow watch selection place=row.0 row=row.1 count=count() chosen=place/>
                    </For>
                </div>
            </div>
        </section>
    }
}

/// What every bar and mark is placed by: the axis' length and now, in milliseconds of the run.
fn time_style(watch: Watch) -> String {
    let elapsed = elapsed(watch);
    let Axis { span_ms, step_ms } = bars::axis(elapsed);
    format!("--span:{span_ms};--step:{step_ms};--now:{elapsed}")
}

fn elapsed(watch: Watch) -> u64 {
    watch.run(|run| {
        // A run that has ended needs no clock.
        let now = run.ended_at.unwrap_or_else(|| watch.now.get());
        bars::elapsed_ms(run, now)
    })
}

/// Brings a row into view without moving anything else.
fn reveal(list: &web_sys::HtmlDivElement, place: usize) {
    let (top, bottom) = ((place * ROW_PX) as i32, ((place + 1) * ROW_PX) as i32);
    let (from, height) = (list.scroll_top(), list.client_height());
    if top < from {
        list.set_scroll_top(top);
    } else if bottom > from + height {
        list.set_scroll_top(bottom - height);
    }
}

fn move_by_key(selection: Selection, event: &ev::KeyboardEvent, count: usize) {
    if event.ctrl_key() || event.meta_key() || event.alt_key() {
        return;
    }
    let all = isize::try_from(count).unwrap_or(isize::MAX);
    let by = match event.key().as_str() {
        "ArrowDown" => 1,
        "ArrowUp" => -1,
        "PageDown" => 10,
        "PageUp" => -10,
        "ArrowRight" => {
            event.prevent_default();
            return selection.fold_shown(true);
        }
        "ArrowLeft" => {
            event.prevent_default();
            return selection.fold_shown(false);
        }
        "Home" => -all,
        "End" => all,
        _ => return,
    };
    event.prevent_default();
    selection.step(by);
}

#[component]
fn AxisMarks(watch: Watch) -> impl IntoView {
    let axis = Memo::new(move |_| bars::axis(elapsed(watch)));
    let marks = move || {
        let Axis { span_ms, .. } = axis.get();
        axis.get()
            .marks()
            .filter(|at| *at < span_ms)
            .map(|at| view! { <span class="mark" style=format!("--at:{at}")>{said::mark(at)}</span> })
            .collect_view()
    };
    view! {
        <div class="task-head" aria-hidden="true">
            <span class="task-title">"Task"</span>
            <span class="task-agent">"Agent"</span>
            <span class="task-took">"Time"</span>
            <span class="task-tokens">"Tokens"</span>
            <span class="task-cost">"Cost"</span>
            <span class="axis">{marks}</span>
        </div>
    }
}

#[component]
fn TaskRow(
    watch: Watch,
    selection: Selection,
    place: usize,
    row: Row,
    count: usize,
    /// The row of the task that is shown.
    chosen: Memo<Option<usize>>,
) -> impl IntoView {
    let Row {
        name,
        depth,
        round,
        folds,
    } = row;
    let name = StoredValue::new(name);
    let task = move |read: fn(&domain::run::Task) -> String| {
        Memo::new(move |_| {
            name.with_value(|name| watch.task(name, read))
                .unwrap_or_default()
        })
    };
    let status = task(|task| task.state.name().to_owned());
    let tokens = task(|task| {
        said::tokens(task.tokens())
            .map(|text| text.replace(" tokens", "").replace(" token", ""))
            .unwrap_or_default()
    });
    let cost = task(|task| task.cost().map(words::money).unwrap_or_default());
    let took = Memo::new(move |_| {
        let live = name.with_value(|name| {
            watch.task(name, |task| {
                !task.state.is_settled() && !task.attempts.is_empty()
            })
        });
        let now = if live == Some(true) {
            watch.now.get()
        } else {
            watch.now.get_untracked()
        };
        name.with_value(|name| watch.task(name, |task| said::took(task, now)))
            .flatten()
            .unwrap_or_default()
    });
    let agent = Memo::new(move |_| {
        name.with_value(|name| {
            watch.task(name, |task| {
                task.attempts.last().and_then(|attempt| attempt.agent)
            })
        })
        .flatten()
        .map(|agent| watch.agent_name(agent))
        .unwrap_or_default()
    });
    let selected = Memo::new(move |_| chosen.get() == Some(place));
    view! {
        <div
            class="task-row"
            role="option"
            id=format!("task-{place}")
            data-task=name.with_value(ToString::to_string)
            data-status=move || status.get()
            aria-selected=move || if selected.get() { "true" } else { "false" }
            aria-posinset=place + 1
            aria-setsize=count
            style=format!("top:{}px;--depth:{depth}", place * ROW_PX)
            on:click=move |_| selection.choose(Some(name.get_value()))
        >
            <span class="task-title">
                {folds.then(|| view! { <Fold watch selection name/> })}
                <StatusGlyph status/>
                {round.map(|round| view! { <span class="task-round number">{words::count(u64::from(round) + 1)}</span> })}
                <span>{move || name.with_value(|name| watch.task(name, |task| task.title.clone()))}</span>
            </span>
            <span class="task-agent">{agent}</span>
            <span class="task-took number">{took}</span>
            <span class="task-tokens number">{tokens}</span>
            <span class="task-cost number">{cost}</span>
            <Track watch name/>
        </div>
    }
}

/// Opens and closes the rounds of a map or loop, and says how many were begun. The keyboard does the
/// same with Right and Left: inside of an option of a list there can be no button.
#[component]
fn Fold(watch: Watch, selection: Selection, name: StoredValue<TaskName>) -> impl IntoView {
    let open = Memo::new(move |_| name.with_value(|name| selection.is_open(name)));
    let rounds = Memo::new(move |_| {
        name.with_value(|name| watch.task(name, |task| task.rounds))
            .unwrap_or_default()
    });
    let press = move |event: ev::MouseEvent| {
        event.stop_propagation();
        let wanted = !open.get_untracked();
        name.with_value(|name| selection.fold(name, wanted));
    };
    view! {
        <span class="fold" data-open=move || open.get().to_string() title="Rounds (Right, Left)" on:click=press>
            <Icon glyph=Signal::derive(move || if open.get() { Glyph::Down } else { Glyph::Right })/>
            <span class="number">{move || words::plural(rounds.get().into(), "round", "rounds")}</span>
        </span>
    }
}

/// The bar of a task: its attempts and waits where they lie in time.
#[component]
fn Track(watch: Watch, name: StoredValue<TaskName>) -> impl IntoView {
    let begin = watch.peek(|run| run.created_at);
    let segments = Memo::new(move |_| {
        name.with_value(|name| watch.task(name, |task| bars::segments(task, begin)))
            .unwrap_or_default()
    });
    let parts = move || segments.get().into_iter().map(bar).collect_view();
    view! {
        <span class="track" aria-hidden="true">
            {parts}
        </span>
    }
}

fn bar(segment: Segment) -> impl IntoView {
    let Segment {
        status,
        from_ms,
        to_ms,
    } = segment;
    // An open end is now, which the list as a whole knows.
    let to = to_ms.map_or_else(|| "var(--now)".to_owned(), |to| to.to_string());
    view! { <span class="bar" data-status=status data-open=to_ms.is_none() style=format!("--from:{from_ms};--to:{to}")></span> }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_covers_the_view_wherever_it_is() {
        for scrolled in (0..40_000).step_by(7) {
            let first = first_mounted(scrolled);
            let in_view = scrolled as usize / ROW_PX;
            let last_in_view = (scrolled as usize + 1_600) / ROW_PX;
            assert!(
                first <= in_view && last_in_view < first + MOUNTED,
                "scrolled {scrolled}: {first}"
            );
        }
        assert_eq!(first_mounted(-5), 0);
    }
}
