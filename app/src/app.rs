//! The frame around every page: document, routes, contexts, layout.

use leptos::prelude::*;
use leptos_meta::{HashedStylesheet, MetaTags, Title, provide_meta_context};
use leptos_router::{
    Lazy, LazyRoute, SsrMode,
    components::{Route, Router, Routes},
    lazy_route, path,
};

use crate::{
    api,
    components::{
        agent_names::provide_agent_names,
        cheat_sheet::CheatSheet,
        go_to::provide_go_to,
        palette::Palette,
        rail::Rail,
        shortcuts::provide_shortcuts,
        theme,
        toast::{ToastHost, provide_toasts},
        top_bar::{TopBar, provide_crumb},
    },
    live::provide_live,
    pages::{
        agent::AgentPage, agents::AgentsPage, dashboard::DashboardPage, editor::EditorPage,
        events::EventsPage, not_found::NotFoundPage, run::RunPage, runs::RunsPage,
        settings::SettingsPage, settings::storage::StoragePage, usage::UsagePage,
        workflows::WorkflowsPage,
    },
};

/// Pages leave the server whole: what they show is read from memory and one file, which takes less
/// time than a second piece of the answer would, and they can be read where no script runs.
const WHOLE: SsrMode = SsrMode::Async;

/// The editor, which browsers load when somebody opens it: a first visit does not need the canvas.
struct Editor;

#[lazy_route]
impl LazyRoute for Editor {
    fn data() -> Self {
        Self
    }

    fn view(_page: Self) -> AnyView {
        EditorPage().into_any()
    }
}

/// The page of one run, which shares the canvas with the editor.
struct Watch;

#[lazy_route]
impl LazyRoute for Watch {
    fn data() -> Self {
        Self
    }

    fn view(_page: Self) -> AnyView {
        RunPage().into_any()
    }
}

/// What takes the space, which few look at.
struct Storage;

#[lazy_route]
impl LazyRoute for Storage {
    fn data() -> Self {
        Self
    }

    fn view(_page: Self) -> AnyView {
        StoragePage().into_any()
    }
}

/// The page of one agent.
struct OneAgent;

#[lazy_route]
impl LazyRoute for OneAgent {
    fn data() -> Self {
        Self
    }

    fn view(_page: Self) -> AnyView {
        AgentPage().into_any()
    }
}

/// What model calls took, with its charts.
struct Usage;

#[lazy_route]
impl LazyRoute for Usage {
    fn data() -> Self {
        Self
    }

    fn view(_page: Self) -> AnyView {
        UsagePage().into_any()
    }
}

/// Every event.
struct Log;

#[lazy_route]
impl LazyRoute for Log {
    fn data() -> Self {
        Self
    }

    fn view(_page: Self) -> AnyView {
        EventsPage().into_any()
    }
}

/// The document that the server renders. The browser takes over its body.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="icon" type="image/svg+xml" href="/favicon.svg"/>
                <script nonce=use_nonce() inner_html=theme::BEFORE_PAINT></script>
                <HashedStylesheet id="leptos" options=options.clone()/>
                <AutoReload options=options.clone()/>
                <HydrationScripts options/>
                <MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}

/// The product in a page.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    provide_toasts();
    provide_crumb();
    view! {
        <Title formatter=|text: String| if text.is_empty() { "Troupe".to_owned() } else { format!("{text} · Troupe") }/>
        <a class="skip" href="#page">"Skip to the page"</a>
        <Router>
            <Frame/>
        </Router>
        <ToastHost/>
    }
}

/// Rail, bar and page. Inside the router, because all of them follow the address.
#[component]
fn Frame() -> impl IntoView {
    // The stream of this tab begins where the figures at the top were read.
    let status = Resource::new_blocking(|| (), |()| api::status());
    provide_agent_names(provide_live(status));
    provide_shortcuts();
    provide_go_to();
    view! {
        <div class="frame">
            <Rail/>
            <div class="stage">
                <TopBar status/>
                <main id="page" tabindex="-1">
                    <Routes fallback=NotFoundPage>
                        <Route path=path!("/") view=|| DashboardPage().into_any() ssr=WHOLE/>
                        <Route path=path!("/workflows") view=|| WorkflowsPage().into_any() ssr=WHOLE/>
                        <Route path=path!("/workflows/:id") view={Lazy::<Editor>::new()} ssr=WHOLE/>
                        <Route path=path!("/runs") view=|| RunsPage().into_any() ssr=WHOLE/>
                        <Route path=path!("/runs/:id") view={Lazy::<Watch>::new()} ssr=WHOLE/>
                        <Route path=path!("/agents") view=|| AgentsPage().into_any() ssr=WHOLE/>
                        <Route path=path!("/agents/:id") view={Lazy::<OneAgent>::new()} ssr=WHOLE/>
                        <Route path=path!("/events") view={Lazy::<Log>::new()} ssr=WHOLE/>
                        <Route path=path!("/usage") view={Lazy::<Usage>::new()} ssr=WHOLE/>
                        <Route path=path!("/settings") view=|| SettingsPage().into_any() ssr=WHOLE/>
                        <Route path=path!("/settings/storage") view={Lazy::<Storage>::new()} ssr=WHOLE/>
                    </Routes>
                </main>
            </div>
        </div>
        <Palette/>
        <CheatSheet/>
    }
}
