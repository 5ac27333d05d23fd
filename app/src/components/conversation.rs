//! What was written to an agent and by it, as a conversation, with a field to write to it.

use domain::{id::AgentId, message::Sender, time::Timestamp};
use leptos::{ev::SubmitEvent, prelude::*};
use leptos_router::components::A;

use super::{
    badge::Badge, button::Button, button::ButtonLook, error_view::ErrorView, field::Field,
    markdown::Markdown, numbers::RelativeTime, rows::rows,
};
use crate::{
    api,
    api::dto::{AgentMessage, AgentName},
};

/// One message, with everybody who received a copy of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    /// Its id.
    pub id: u64,
    /// When it was sent.
    pub at: Timestamp,
    /// Who wrote it.
    pub from: Sender,
    /// The topic that it was written to.
    pub topic: Option<String>,
    /// Who received it.
    pub to: Vec<AgentName>,
    /// What it says.
    pub text: String,
    /// Whether this agent wrote it.
    pub own: bool,
}

/// Messages of an agent, oldest first, copies of one message as one.
pub fn letters(messages: &[AgentMessage], agent: AgentId) -> Vec<Letter> {
    let mut letters: Vec<Letter> = Vec::new();
    for AgentMessage {
        seq: _,
        at,
        to,
        message,
    } in messages
    {
        if let Some(letter) = letters.iter_mut().find(|letter| letter.id == message.id) {
            letter.to.push(to.clone());
            continue;
        }
        let own = match &message.from {
            Sender::Person { .. } => false,
            Sender::Agent { agent_id, .. } => *agent_id == agent,
        };
        letters.push(Letter {
            id: message.id,
            at: *at,
            from: message.from.clone(),
            topic: message.to_topic.clone(),
            to: vec![to.clone()],
            text: message.text.clone(),
            own,
        });
    }
    letters
}

/// The conversation, oldest first.
#[component]
pub fn Conversation(
    /// Whose.
    agent: AgentId,
    /// What was written, oldest first.
    #[prop(into)]
    messages: Signal<Vec<AgentMessage>>,
    /// Messages that it has not read.
    #[prop(into)]
    unread: Signal<Vec<u64>>,
) -> impl IntoView {
    let list = Memo::new(move |_| messages.with(|messages| letters(messages, agent)));
    let list: Signal<Vec<Letter>> = list.into();
    view! {
        <Show
            when=move || !list.read().is_empty()
            fallback=|| view! { <p class="empty">"Nobody has written yet."</p> }
        >
            <ol class="letters">{rows(list, |letter| letter.id, move |letter| view! { <LetterView letter unread/> })}</ol>
        </Show>
    }
}

#[component]
fn LetterView(letter: Signal<Letter>, unread: Signal<Vec<u64>>) -> impl IntoView {
    let Letter {
        id,
        at,
        from,
        topic,
        to,
        text,
        own,
    } = letter.get_untracked();
    let waits = move || !own && unread.with(|unread| unread.contains(&id));
    let from = match from {
        Sender::Person { name } => view! { <span class="letter-from">{name}</span> }.into_any(),
        Sender::Agent {
            agent_id,
            name,
            run_id,
            task,
        } => view! {
            <A href=format!("/agents/{agent_id}") attr:class="letter-from">{name}</A>
            <A href=format!("/runs/{run_id}") attr:class="muted">{format!("at {task}")}</A>
        }
        .into_any(),
    };
    let receivers = to
        .into_iter()
        .map(|AgentName { id, name }| view! { <A href=format!("/agents/{id}")>{name}</A> })
        .collect_view();
    view! {
        <li class="letter" data-own=own.to_string()>
            <p class="letter-head">
                {from} <span class="muted">"to "</span> {receivers}
                {topic.map(|topic| view! { <Badge>{topic}</Badge> })}
                {move || waits().then(|| view! { <Badge status="waiting">"not read yet"</Badge> })}
                <span class="letter-when muted"><RelativeTime at/></span>
            </p>
            <Markdown text/>
        </li>
    }
}

/// Writes to an agent.
#[component]
pub fn WriteTo(
    /// Whom.
    agent: AgentId,
    /// Its name.
    #[prop(into)]
    name: Signal<String>,
) -> impl IntoView {
    let text = RwSignal::new(String::new());
    let sending = Action::new(move |said: &String| {
        let said = said.clone();
        async move {
            let answer = api::send_message(agent, said).await;
            if answer.is_ok() {
                let _gone = text.try_set(String::new());
            }
            answer
        }
    });
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let said = text.get_untracked().trim().to_owned();
        if !said.is_empty() {
            sending.dispatch(said);
        }
    };
    view! {
        <form class="form write-to" on:submit=submit>
            <Field id="write-text" label="Message" help="It reads this with its next turn.">
                <textarea
                    id="write-text"
                    aria-describedby="write-text-help"
                    rows="3"
                    prop:value=move || text.get()
                    on:input:target=move |event| text.set(event.target().value())
                ></textarea>
            </Field>
            {move || sending.value().get().and_then(Result::err).map(|error| view! { <ErrorView error/> })}
            <div class="form-actions">
                <Button
                    look=ButtonLook::Primary
                    submit=true
                    busy=sending.pending()
                    disabled=Signal::derive(move || text.with(|text| text.trim().is_empty()))
                >
                    {move || format!("Send to {}", name.get())}
                </Button>
            </div>
        </form>
    }
}

#[cfg(test)]
mod tests {
    use domain::message::Message;

    use super::*;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn message(id: u64, to: &str, from: Sender) -> AgentMessage {
        AgentMessage {
            seq: id,
            at: Timestamp(0),
            to: AgentName {
                id: ID.parse().unwrap(),
                name: to.into(),
            },
            message: Message {
                id,
                from,
                to_topic: None,
                text: "Hello".into(),
            },
        }
    }

    #[test]
    fn copies_of_a_message_are_one_letter() {
        let person = || Sender::Person { name: "Ada".into() };
        let messages = [
            message(7, "One", person()),
            message(7, "Two", person()),
            message(9, "One", person()),
        ];
        let letters = letters(&messages, ID.parse().unwrap());
        let said: Vec<_> = letters
            .iter()
            .map(|letter| {
                let to: Vec<_> = letter.to.iter().map(|to| to.name.as_str()).collect();
                format!("{} to {}", letter.id, to.join(" and "))
            })
            .collect();
        assert_eq!(said, ["7 to One and Two", "9 to One"]);
    }
}
