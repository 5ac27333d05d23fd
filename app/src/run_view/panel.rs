//! The right side while a task is shown: its head, and its tabs.

use domain::{
    id::{NodeId, TaskName},
    run::{Attempt, Task, TaskState},
};
use leptos::prelude::*;
use leptos_router::components::A;

use crate::{
    components::{Button, Glyph, IconButton, StatusGlyph},
    run_view::{
        again::{AgainDialog, AloneDialog},
        answering::Answering,
        attempts::Attempts,
        bars::attempt_status,
        data::{JsonView, ValueView, pretty},
        input::TaskInput,
        said,
        selection::Selection,
        tabs::{Tab, TabRow},
        transcript::Transcript,
        trouble::Trouble,
        watch::Watch,
    },
    words,
};

/// What of a task is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskTab {
    /// Prompt, turns, tools, result.
    Transcript,
    /// What it was given.
    Input,
    /// What it brought.
    Output,
    /// Every try.
    Attempts,
    /// Everything, as data.
    Raw,
}

impl Tab for TaskTab {
    const ALL: &'static [Self] = &[
        Self::Transcript,
        Self::Input,
        Self::Output,
        Self::Attempts,
        Self::Raw,
    ];

    fn label(self) -> &'static str {
        match self {
            TaskTab::Transcript => "Transcript",
            TaskTab::Input => "Input",
            TaskTab::Output => "Output",
            TaskTab::Attempts => "Attempts",
            TaskTab::Raw => "Raw",
        }
    }
}

/// A task of the run, and which of its attempts is shown. Copyable.
#[derive(Clone, Copy)]
pub struct Shown {
    /// The run.
    pub watch: Watch,
    /// The task.
    pub name: StoredValue<TaskName>,
    /// The attempt that a person chose; `None` is the newest.
    pub chosen: RwSignal<Option<u32>>,
    /// The attempt that is shown; `None` before there is one.
    pub attempt: Memo<Option<u32>>,
}

impl Shown {
    fn new(watch: Watch, name: TaskName) -> Self {
        let name = StoredValue::new(name);
        let chosen = RwSignal::new(None);
        let attempt = Memo::new(move |_| {
            let newest = name
                .with_value(|name| {
                    watch.task(name, |task| {
                        task.attempts.last().map(|attempt| attempt.number)
                    })
                })
                .flatten();
            chosen.get().or(newest)
        });
        Self {
            watch,
            name,
            chosen,
            attempt,
        }
    }

    /// Reads the task; told again when it changes. The default when the run has lost it.
    pub fn task<T: Default>(self, read: impl FnOnce(&Task) -> T) -> T {
        self.name
            .with_value(|name| self.watch.task(name, read))
            .unwrap_or_default()
    }

    /// Reads the attempt that is shown; told again when the task changes.
    pub fn of_attempt<T>(self, read: impl FnOnce(&Attempt) -> T) -> Option<T> {
        let number = self.attempt.get()?;
        self.task(|task| task.attempt(number).map(read))
    }
}

/// The panel of one task.
#[component]
pub fn TaskPanel(
    watch: Watch,
    selection: Selection,
    name: TaskName,
    tab: RwSignal<TaskTab>,
) -> impl IntoView {
    let shown = Shown::new(watch, name);
    view! {
        <TaskHead shown selection/>
        <TabRow open=tab label="What of the task" panel="task-tab"/>
        <div class="side-body" role="tabpanel" id="task-tab" data-tab=move || tab.get().label()>
            {move || match tab.get() {
                TaskTab::Transcript => view! { <Transcript shown/> }.into_any(),
                TaskTab::Input => view! { <TaskInput shown selection/> }.into_any(),
                TaskTab::Output => view! { <Output shown/> }.into_any(),
                TaskTab::Attempts => view! { <Attempts shown tab/> }.into_any(),
                TaskTab::Raw => view! { <Raw shown/> }.into_any(),
            }}
        </div>
    }
}

#[component]
fn TaskHead(shown: Shown, selection: Selection) -> impl IntoView {
    let status = Memo::new(move |_| shown.task(|task| task.state.name().to_owned()));
    let title = Memo::new(move |_| shown.task(|task| task.title.clone()));
    let waits =
        Memo::new(move |_| shown.task(|task| matches!(task.state, TaskState::Waiting { .. })));
    let why = Memo::new(move |_| {
        let now = if waits.get() {
            shown.watch.now.get()
        } else {
            shown.watch.now.get_untracked()
        };
        shown.watch.drawing.with_value(|drawing| {
            shown.watch.whole(|run| {
                shown
                    .name
                    .with_value(|name| said::why(run, drawing, name, now))
            })
        })
    });
    view! {
        <header class="side-head">
            <div class="side-title">
                <StatusGlyph status plain=true/>
                <h2>{title}</h2>
                <span class="side-status" data-status=move || status.get()>{move || status.get()}</span>
                <span class="side-close">
                    <IconButton glyph=Glyph::Cross label="Close the task" on_press=move |()| selection.choose(None)/>
                </span>
            </div>
            <TaskFigures shown/>
            {move || why.get().map(|why| view! { <p class="why">{why}</p> })}
            <Child shown/>
            <Answering shown/>
            <StepMoves shown/>
        </header>
    }
}

/// The child run of the task, with the way there.
#[component]
fn Child(shown: Shown) -> impl IntoView {
    let child = Memo::new(move |_| shown.task(|task| task.child));
    move || {
        child.get().map(|child| {
            view! { <p class="child-run">"Its child run: " <A href=format!("/runs/{child}")>{child.to_string()}</A></p> }
        })
    }
}

/// What can be done with a step once the run is over. Steps inside of rounds go with their map or loop.
#[component]
fn StepMoves(shown: Shown) -> impl IntoView {
    let over = Memo::new(move |_| shown.watch.run(|run| run.state.is_final()));
    let (again, alone) = (RwSignal::new(false), RwSignal::new(false));
    let node = shown
        .name
        .with_value(|name| NodeId::parse(name.as_str()).ok());
    node.map(|node| {
        let (from, only) = (node.clone(), node);
        view! {
            <Show when=move || over.get()>
                <div class="step-moves">
                    <Button icon=Glyph::Retry on_press=move |()| again.set(true)>"Run again from here"</Button>
                    <Button icon=Glyph::Play on_press=move |()| alone.set(true)>"Run this step alone"</Button>
                </div>
            </Show>
            <AgainDialog watch=shown.watch open=again from=Some(from)/>
            <AloneDialog watch=shown.watch open=alone node=only/>
        }
    })
}

#[component]
fn TaskFigures(shown: Shown) -> impl IntoView {
    let took = Memo::new(move |_| {
        let now = shown.watch.now.get();
        shown.task(|task| said::took(task, now))
    });
    let tokens = Memo::new(move |_| shown.task(Task::tokens));
    let cost = Memo::new(move |_| shown.task(Task::cost));
    let agent = Memo::new(move |_| shown.of_attempt(|attempt| attempt.agent).flatten());
    let agent_link = move || {
        agent.get().map(|id| {
            view! { <A href=format!("/agents/{id}") attr:class="side-agent">{move || shown.watch.agent_name(id)}</A> }
        })
    };
    view! {
        <p class="side-figures">
            <span class="side-kind">{shown.task(|task| task.kind.clone())}</span>
            {agent_link}
            {move || took.get().map(|took| view! { <span class="number">{took}</span> })}
            {move || {
                said::tokens(tokens.get())
                    .map(|sum| view! { <span class="number" title=said::tokens_in_detail(tokens.get())>{sum}</span> })
            }}
            {move || cost.get().map(|cost| view! { <span class="number" title=format!("${cost}")>{words::money(cost)}</span> })}
            <AttemptChoice shown/>
        </p>
    }
}

/// Which attempt is shown, where there are several.
#[component]
fn AttemptChoice(shown: Shown) -> impl IntoView {
    let attempts = Memo::new(move |_| {
        shown.task(|task| {
            task.attempts
                .iter()
                .map(|attempt| (attempt.number, attempt_status(&attempt.state)))
                .collect::<Vec<_>>()
        })
    });
    let options = move || {
        attempts
            .get()
            .into_iter()
            .map(|(number, status)| {
                let selected = move || shown.attempt.get() == Some(number);
                view! { <option value=number.to_string() selected=selected>{format!("Attempt {number}: {status}")}</option> }
            })
            .collect_view()
    };
    view! {
        <Show when=move || attempts.with(|attempts| attempts.len() > 1)>
            <select
                class="attempt-choice"
                aria-label="Attempt"
                on:change:target=move |event| shown.chosen.set(event.target().value().parse().ok())
            >
                {options}
            </select>
        </Show>
    }
}

#[component]
fn Output(shown: Shown) -> impl IntoView {
    let state = Memo::new(move |_| shown.task(|task| Some(task.state.clone())));
    move || {
        match state.get() {
        Some(TaskState::Succeeded { output, port, at: _ }) => view! {
            {port.map(|port| view! { <p class="port">"Went on at port " <code>{port.to_string()}</code></p> })}
            <ValueView value=output what="the output"/>
        }
        .into_any(),
        Some(TaskState::Failed { error, at: _ }) => view! { <Trouble error/> }.into_any(),
        Some(
            TaskState::Blocked
            | TaskState::Ready { .. }
            | TaskState::Assigned { .. }
            | TaskState::Running { .. }
            | TaskState::Waiting { .. }
            | TaskState::Unknown { .. },
        ) => view! { <p class="muted">"There is no output yet. It appears here when the task is done."</p> }.into_any(),
        Some(TaskState::Skipped { .. } | TaskState::Cancelled) | None => {
            view! { <p class="muted">"There is no output: the task was never finished."</p> }.into_any()
        }
    }
    }
}

#[component]
fn Raw(shown: Shown) -> impl IntoView {
    let text = Memo::new(move |_| shown.task(pretty));
    move || view! { <JsonView text=text.get() what="the task"/> }
}
