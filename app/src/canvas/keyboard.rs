//! Which key means what on the canvas. Letters are the same in every layout that has them; what the
//! cheat sheet shows stands beside the table that decides.

use super::scene::Direction;

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Ends what is going on, or selects nothing.
    Escape,
    /// Removes what is selected.
    Delete,
    /// Selects every node.
    SelectAll,
    /// Copies what is selected beside itself.
    Duplicate,
    /// Takes the last step back.
    Undo,
    /// Does it again.
    Redo,
    /// Moves what is selected, or goes to another node; `true` farther.
    Arrow(Direction, bool),
    /// Enter or Space.
    Activate,
    /// Everything into view.
    Fit,
    /// The selection into view.
    FitSelection,
    /// Life size.
    ZoomReset,
    /// Nearer.
    ZoomIn,
    /// Farther.
    ZoomOut,
    /// Edits the title of a node or the label of an edge.
    Rename,
    /// Switches nodes off or on.
    Disable,
    /// Puts everything in order.
    Tidy,
    /// Offers what can be added.
    Add,
    /// Drag on the empty canvas: move or select.
    Tool,
    /// Shows or hides the small map.
    Minimap,
    /// While connecting: the next target, or (`true`) the one before.
    NextTarget(bool),
}

/// A key that went down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Key<'a> {
    /// Its name as browsers give it.
    pub name: &'a str,
    /// Shift is held.
    pub shift: bool,
    /// Ctrl or Cmd is held.
    pub ctrl: bool,
    /// Alt is held.
    pub alt: bool,
}

/// What the key asks for. `connecting`: whether the keyboard draws a wire, so that Tab goes on to the
/// next target. `pointing`: whether the pointer was used last, so that Tab adds a node; for somebody
/// who uses the keyboard alone Tab must lead on through the page.
pub fn command(key: Key<'_>, connecting: bool, pointing: bool) -> Option<Command> {
    if key.alt {
        return None;
    }
    if key.ctrl {
        return match (key.name, key.shift) {
            ("z" | "Z", false) => Some(Command::Undo),
            ("z" | "Z", true) | ("y" | "Y", false) => Some(Command::Redo),
            ("a" | "A", false) => Some(Command::SelectAll),
            ("d" | "D", false) => Some(Command::Duplicate),
            _ => None,
        };
    }
    let arrow = |direction| Some(Command::Arrow(direction, key.shift));
    match key.name {
        "Escape" => Some(Command::Escape),
        "Delete" | "Backspace" => Some(Command::Delete),
        "ArrowLeft" => arrow(Direction::Left),
        "ArrowRight" => arrow(Direction::Right),
        "ArrowUp" => arrow(Direction::Up),
        "ArrowDown" => arrow(Direction::Down),
        "Enter" | " " => Some(Command::Activate),
        "Tab" if connecting => Some(Command::NextTarget(key.shift)),
        "Tab" if pointing && !key.shift => Some(Command::Add),
        "n" | "N" => Some(Command::Add),
        "1" => Some(Command::Fit),
        "." => Some(Command::FitSelection),
        "0" => Some(Command::ZoomReset),
        "+" | "=" => Some(Command::ZoomIn),
        "-" | "_" => Some(Command::ZoomOut),
        "F2" => Some(Command::Rename),
        "d" | "D" => Some(Command::Disable),
        "t" | "T" => Some(Command::Tidy),
        "v" | "V" => Some(Command::Tool),
        "m" | "M" => Some(Command::Minimap),
        _ => None,
    }
}

/// What the cheat sheet says: keys, and what they do.
pub const SHOWN: [(&str, &str); 19] = [
    ("Tab or double click", "Add a step at the pointer"),
    ("n", "Add a step"),
    ("Ctrl Z", "Undo"),
    ("Ctrl Shift Z", "Redo"),
    ("Ctrl A", "Select all"),
    ("Ctrl C / X / V", "Copy, cut, paste"),
    ("Ctrl D", "Duplicate"),
    ("Delete", "Delete what is selected"),
    ("Arrows", "Move what is selected, or go from step to step"),
    ("Enter on a port", "Connect: arrows choose, Enter connects"),
    ("F2", "Rename"),
    ("d", "Disable or enable"),
    ("t", "Tidy up"),
    ("1 · .", "Show everything · the selection"),
    ("0 · + · −", "Life size · nearer · farther"),
    ("Space drag", "Move the canvas"),
    ("Shift drag", "Select with a box"),
    ("v", "Drag selects instead of moving"),
    ("m", "Small map"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key<'_> {
        Key {
            name,
            ..Key::default()
        }
    }

    #[test]
    fn keys_mean_what_people_expect() {
        let ctrl = |name| Key {
            ctrl: true,
            ..key(name)
        };
        let shift = |key| Key { shift: true, ..key };
        let cases = [
            (ctrl("z"), Some(Command::Undo)),
            (shift(ctrl("Z")), Some(Command::Redo)),
            (ctrl("y"), Some(Command::Redo)),
            (ctrl("c"), None),
            (key("Backspace"), Some(Command::Delete)),
            (
                shift(key("ArrowUp")),
                Some(Command::Arrow(Direction::Up, true)),
            ),
            (key("+"), Some(Command::ZoomIn)),
            (key("g"), None),
            (key("?"), None),
        ];
        for (key, expected) in cases {
            assert_eq!(command(key, false, false), expected, "{key:?}");
        }
    }

    #[test]
    fn tab_is_never_a_trap() {
        assert_eq!(command(key("Tab"), false, false), None);
        assert_eq!(command(key("Tab"), false, true), Some(Command::Add));
        assert_eq!(
            command(
                Key {
                    shift: true,
                    ..key("Tab")
                },
                false,
                true
            ),
            None
        );
        assert_eq!(
            command(key("Tab"), true, false),
            Some(Command::NextTarget(false))
        );
    }
}
