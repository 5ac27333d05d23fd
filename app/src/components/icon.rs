//! Icons: one path each, 24 units square, drawn with the colour of the text.

use leptos::prelude::*;

/// Every icon of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Glyph {
    /// The control room.
    Home,
    /// Workflows.
    Workflow,
    /// Runs; also "run".
    Play,
    /// Agents.
    Agents,
    /// Events.
    Events,
    /// What was spent.
    Usage,
    /// Settings.
    Settings,
    /// Look for something.
    Search,
    /// Make a new one.
    Plus,
    /// Close, remove.
    Cross,
    /// Done, copied.
    Check,
    /// Copy.
    Copy,
    /// Take a file out.
    Download,
    /// Bring a file in.
    Upload,
    /// Delete.
    Trash,
    /// Make a second one.
    Duplicate,
    /// Hold.
    Pause,
    /// Stop for good.
    Stop,
    /// Again.
    Retry,
    /// Back to before.
    Undo,
    /// Forward again.
    Redo,
    /// Edit.
    Pen,
    /// More to choose.
    More,
    /// Opens something below.
    Down,
    /// Opens something beside.
    Right,
    /// Back.
    Left,
    /// Something is odd.
    Warning,
    /// The keyboard.
    Keyboard,
    /// Light theme.
    Sun,
    /// Dark theme.
    Moon,
    /// The system's theme.
    Screen,
    /// A tool call.
    Wrench,
    /// Leads elsewhere.
    External,
    /// An agent node.
    Spark,
    /// A transform node.
    Braces,
    /// A branch node.
    Fork,
    /// An output node.
    Flag,
    /// A note node.
    Note,
    /// Fit everything into view.
    Fit,
    /// Tidy up.
    Tidy,
    /// Locked.
    Lock,
    /// Zoom in is `Plus`; this is out.
    Minus,
    /// A box that selects.
    Select,
    /// The map of the canvas.
    Map,
}

impl Glyph {
    /// The path, stroked.
    pub fn path(self) -> &'static str {
        match self {
            Glyph::Home => "M4 5h7v7H4zM13 5h7v4h-7zM13 11h7v8h-7zM4 14h7v5H4z",
            Glyph::Workflow => "M4 5h6v5H4zM14 14h6v5h-6zM7 10v3.5a3 3 0 0 0 3 3h4",
            Glyph::Play => "M7 5l11 7-11 7z",
            Glyph::Agents => {
                "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM3 20c.4-3.6 2.6-5.5 6-5.5s5.600 1.900 6 5.500M15.500 4.300a3.500 3.500 0 0 1 0 6.400M17.500 14.900c2 .700 3.200 2.400 3.500 5.100"
            }
            Glyph::Events => "M5 6h.01M5 12h.01M5 18h.01M9 6h11M9 12h11M9 18h11",
            Glyph::Usage => "M5 20v-7M12 20V5M19 20v-10M3 20h18",
            Glyph::Settings => "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.500v5M9 14.500v5",
            Glyph::Search => "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16 16l4.500 4.500",
            Glyph::Plus => "M12 5v14M5 12h14",
            Glyph::Cross => "M6 6l12 12M18 6L6 18",
            Glyph::Check => "M5 12.500l4.500 4.500L19 7.500",
            Glyph::Copy => "M9 9h10v11H9zM5 15V4h10",
            Glyph::Download => "M12 4v11M7.500 11l4.500 4.500L16.500 11M5 20h14",
            Glyph::Upload => "M12 16V5M7.500 9L12 4.500 16.500 9M5 20h14",
            Glyph::Trash => "M4 7h16M9 7V4h6v3M6.500 7l1 13h9l1-13M10.500 11v5M13.500 11v5",
            Glyph::Duplicate => "M8 8h12v12H8zM4 16V4h12M14 11v6M11 14h6",
            Glyph::Pause => "M9 6v12M15 6v12",
            Glyph::Stop => "M6.500 6.500h11v11h-11z",
            Glyph::Retry => "M20 12a8 8 0 1 1-2.400-5.700M20 4v5h-5",
            Glyph::Undo => "M8 5L4 9l4 4M4 9h10a5.500 5.500 0 0 1 0 11h-3",
            Glyph::Redo => "M16 5l4 4-4 4M20 9H10a5.500 5.500 0 0 0 0 11h3",
            Glyph::Pen => "M4 20l1-4.500L16.500 4l3.500 3.500L8.500 19z",
            Glyph::More => "M6 12h.01M12 12h.01M18 12h.01",
            Glyph::Down => "M6 9.500l6 6 6-6",
            Glyph::Right => "M9.500 6l6 6-6 6",
            Glyph::Left => "M14.500 6l-6 6 6 6",
            Glyph::Warning => "M12 4l9 16H3zM12 10v4.500M12 17.300h.01",
            Glyph::Keyboard => {
                "M3 7h18v11H3zM7 11h.01M11 11h.01M15 11h.01M17.500 11h.01M8 14.500h8"
            }
            Glyph::Sun => {
                "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 3v2M12 19v2M3 12h2M19 12h2M5.600 5.600L7 7M17 17l1.400 1.400M5.600 18.400L7 17M17 7l1.400-1.400"
            }
            Glyph::Moon => "M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500z",
            Glyph::Screen => "M3 5h18v11H3zM9 20h6M12 16v4",
            Glyph::Wrench => {
                "M20 7.500a4.800 4.800 0 0 1-6.600 4.900L7 19a2 2 0 0 1-3-3l6.600-6.400A4.800 4.800 0 0 1 16.500 4l-2.800 2.800 3 3z"
            }
            Glyph::External => "M13 5h6v6M19 5l-9 9M16 14v5H5V8h5",
            Glyph::Spark => {
                "M12 4v5M12 15v5M4 12h5M15 12h5M6.500 6.500L9 9M15 15l2.500 2.500M17.500 6.500L15 9M9 15l-2.500 2.500"
            }
            Glyph::Braces => {
                "M9 4c-2.500 0-3 1-3 3v2c0 1.500-.700 2.500-2 3 1.300.500 2 1.500 2 3v2c0 2 .500 3 3 3M15 4c2.500 0 3 1 3 3v2c0 1.500.700 2.500 2 3-1.300.500-2 1.500-2 3v2c0 2-.500 3-3 3"
            }
            Glyph::Fork => {
                "M4 12h5c4 0 3-6 8-6h3M9 12c4 0 3 6 8 6h3M17.500 3.500L20 6l-2.500 2.500M17.500 15.500L20 18l-2.500 2.500"
            }
            Glyph::Flag => "M6 21V4h12l-2.500 4.500L18 13H6",
            Glyph::Note => "M5 4h14v11l-5 5H5zM14 20v-5h5M9 9h6M9 12.500h3",
            Glyph::Fit => "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
            Glyph::Tidy => "M4 5h5v5H4zM15 5h5v4h-5zM15 15h5v4h-5zM9 7.500h6M12 7.500V17h3",
            Glyph::Lock => "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3",
            Glyph::Minus => "M5 12h14",
            Glyph::Select => {
                "M4 7V4h3M11 4h2M17 4h3v3M20 11v2M20 17v3h-3M13 20h-2M7 20H4v-3M4 13v-2"
            }
            Glyph::Map => "M4 6l5-2 6 2 5-2v14l-5 2-6-2-5 2zM9 4v14M15 6v14",
        }
    }
}

/// An icon that only repeats what stands or is said beside it.
#[component]
pub fn Icon(
    /// Which.
    #[prop(into)]
    glyph: Signal<Glyph>,
) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path d=move || glyph.get().path()></path>
        </svg>
    }
}
