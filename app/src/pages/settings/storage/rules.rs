//! The form that says how long runs are kept. What stands in it is the reader's until it is saved: newer
//! figures do not touch it.

use std::collections::BTreeMap;

use domain::{
    id::WorkflowId,
    retention::{GIB, Keep, MOST_DAYS, Retention},
};
use leptos::{ev::SubmitEvent, prelude::*};

use super::gib;
use crate::{
    api,
    api::dto::Storage,
    components::{Button, ButtonLook, Field, Glyph, IconButton, use_toasts},
    pages::loaded::Loaded,
};

/// A rule as it stands in the form: days as text, empty for ever.
#[derive(Debug, Clone, PartialEq)]
struct Rule {
    workflow: WorkflowId,
    name: String,
    days: RwSignal<String>,
}

/// Days from a text; nothing is for ever.
fn read_days(text: &str) -> Result<Keep, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Keep::Forever);
    }
    match text.parse() {
        Ok(days) if (1..=MOST_DAYS).contains(&days) => Ok(Keep::Days(days)),
        Ok(_) | Err(_) => Err(format!(
            "Write a whole number of days from 1 to {MOST_DAYS}, or nothing for ever."
        )),
    }
}

/// A limit from a text in GiB; nothing is no limit.
fn read_limit(text: &str) -> Result<Option<u64>, String> {
    let text = text.trim().replace(',', ".");
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse::<f64>() {
        // The server says which sizes can be; a float this large turns into the largest number.
        Ok(size) if size.is_finite() && size > 0.0 => Ok(Some((size * GIB as f64).round() as u64)),
        Ok(_) | Err(_) => {
            Err("Write a size in GiB such as 10 or 0.5, or nothing for no limit.".into())
        }
    }
}

fn days_of(keep: Keep) -> String {
    match keep {
        Keep::Days(days) => days.to_string(),
        Keep::Forever => String::new(),
    }
}

/// The form.
#[component]
pub fn Rules(now: Signal<Storage>, storage: Loaded<Storage>) -> impl IntoView {
    let toasts = use_toasts();
    let known = now.get_untracked();
    let names: BTreeMap<WorkflowId, String> = known
        .workflows
        .iter()
        .map(|space| (space.workflow, space.name.clone()))
        .collect();
    let name_of = move |workflow: WorkflowId| {
        names
            .get(&workflow)
            .cloned()
            .unwrap_or_else(|| workflow.to_string())
    };
    let days = RwSignal::new(days_of(known.retention.keep));
    let limit = RwSignal::new(known.retention.max_bytes.map(gib).unwrap_or_default());
    let rules = RwSignal::new(
        known
            .retention
            .workflows
            .iter()
            .map(|(workflow, keep)| Rule {
                workflow: *workflow,
                name: name_of(*workflow),
                days: RwSignal::new(days_of(*keep)),
            })
            .collect::<Vec<_>>(),
    );
    let wrong = RwSignal::new((None::<String>, None::<String>, None::<String>));
    let save = Action::new(move |asked: &Retention| {
        let asked = asked.clone();
        async move {
            match api::set_retention(asked).await {
                Ok(()) => toasts.say("Saved. It holds from the next clean-up on."),
                Err(error) => toasts.fail(&error),
            }
            storage.refresh();
        }
    });
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let keep = read_days(&days.get_untracked());
        let max_bytes = read_limit(&limit.get_untracked());
        let own: Result<BTreeMap<WorkflowId, Keep>, String> = rules
            .get_untracked()
            .iter()
            .map(|rule| {
                read_days(&rule.days.get_untracked())
                    .map(|keep| (rule.workflow, keep))
                    .map_err(|error| format!("{}: {error}", rule.name))
            })
            .collect();
        wrong.set((
            keep.clone().err(),
            max_bytes.clone().err(),
            own.clone().err(),
        ));
        if let (Ok(keep), Ok(max_bytes), Ok(workflows)) = (keep, max_bytes, own) {
            save.dispatch(Retention {
                keep,
                max_bytes,
                workflows,
            });
        }
    };
    let others = move || {
        let rules = rules.read();
        let free = |id: WorkflowId| rules.iter().all(|rule| rule.workflow != id);
        now.read()
            .workflows
            .iter()
            .filter(|space| free(space.workflow))
            .map(|space| {
                view! { <option value=space.workflow.to_string()>{space.name.clone()}</option> }
            })
            .collect_view()
    };
    let add = move |raw: String| {
        let Ok(workflow) = raw.parse::<WorkflowId>() else {
            return;
        };
        let name = now
            .read_untracked()
            .workflows
            .iter()
            .find(|space| space.workflow == workflow)
            .map(|space| space.name.clone());
        rules.update(|rules| {
            rules.push(Rule {
                workflow,
                name: name.unwrap_or(raw),
                days: RwSignal::new(String::new()),
            });
        });
    };
    let row = move |rule: Rule| {
        let Rule {
            workflow,
            name,
            days,
        } = rule;
        let remove = format!("Remove the rule of {name}");
        let label = format!("Days that runs of {name} are kept, empty for ever");
        view! {
            <li class="own-rule">
                <span>{name}</span>
                <input type="text" inputmode="numeric" maxlength="6" placeholder="for ever" aria-label=label bind:value=days/>
                <span class="muted">{move || if days.read().trim().is_empty() { "" } else { "days" }}</span>
                <IconButton
                    glyph=Glyph::Cross
                    label=remove
                    on_press=move |()| rules.update(|rules| rules.retain(|rule| rule.workflow != workflow))
                />
            </li>
        }
    };
    view! {
        <form class="form panel-text" on:submit=submit>
            <Field
                id="keep-days"
                label="Days"
                error=Signal::derive(move || wrong.get().0)
                help="Finished runs, and events of the server and of agents, that are older than this go. Empty: for ever."
            >
                <input id="keep-days" aria-describedby="keep-days-help" type="text" inputmode="numeric" maxlength="6" placeholder="for ever" bind:value=days/>
            </Field>
            <Field
                id="keep-size"
                label="Largest size, in GiB"
                error=Signal::derive(move || wrong.get().1)
                help="A database that holds more loses its oldest finished runs first, but none that is kept for ever or ended within the last hour. Empty: no limit."
            >
                <input id="keep-size" aria-describedby="keep-size-help" type="text" inputmode="decimal" maxlength="12" placeholder="no limit" bind:value=limit/>
            </Field>
            <Field
                id="keep-own"
                label="Workflows with a rule of their own"
                error=Signal::derive(move || wrong.get().2)
                help="Days behind the end of a run; empty keeps the runs of that workflow for ever."
            >
                <ul class="own-rules">
                    <For each=move || rules.get() key=|rule| rule.workflow children=row/>
                </ul>
                <select
                    id="keep-own"
                    aria-describedby="keep-own-help"
                    on:change:target=move |event| {
                        add(event.target().value());
                        event.target().set_value("");
                    }
                >
                    <option value="">"Add a workflow"</option>
                    {others}
                </select>
            </Field>
            <div class="form-actions">
                <Button look=ButtonLook::Primary submit=true busy=save.pending()>"Save"</Button>
            </div>
        </form>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_sizes_are_read_as_people_write_them() {
        assert_eq!(read_days(" 7 "), Ok(Keep::Days(7)));
        assert_eq!(read_days(""), Ok(Keep::Forever));
        for wrong in ["0", "-1", "1.5", "4000", "soon", "99999999999"] {
            assert!(read_days(wrong).is_err(), "{wrong}");
        }
        assert_eq!(read_limit("10"), Ok(Some(10 * GIB)));
        assert_eq!(read_limit("0,5"), Ok(Some(GIB / 2)));
        assert_eq!(read_limit(" "), Ok(None));
        for wrong in ["0", "-1", "NaN", "inf", "much"] {
            assert!(read_limit(wrong).is_err(), "{wrong}");
        }
    }
}
