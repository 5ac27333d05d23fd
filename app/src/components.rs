//! Parts that pages are made of. They are told what to show and say what was pressed; they load nothing
//! by themselves, except where a dialog is a small page of its own (`run_dialog`, `palette`).

pub mod agent_names;
pub mod agent_row;
pub mod agent_words;
pub mod badge;
pub mod budget_form;
pub mod budget_panel;
pub mod button;
pub mod chart;
pub mod cheat_sheet;
pub mod conversation;
pub mod copy;
pub mod dialog;
pub mod download;
pub mod empty;
pub mod error_view;
pub mod event_line;
pub mod event_list;
pub mod field;
pub mod go_to;
pub mod icon;
pub mod import;
pub mod markdown;
pub mod models;
pub mod numbers;
pub mod palette;
pub mod preferences;
pub mod rail;
pub mod rows;
pub mod run_dialog;
pub mod run_row;
pub mod search;
pub mod shortcuts;
pub mod sparkline;
pub mod spawn_dialog;
pub mod starter;
pub mod theme;
pub mod ticker;
pub mod toast;
pub mod top_bar;
pub mod unhealthy;
pub mod workflow_row;

pub use self::{
    badge::{Badge, StatusBadge, StatusGlyph},
    button::{Button, ButtonLook, IconButton},
    copy::{CopyId, CopyJson},
    dialog::Dialog,
    empty::{Empty, Loading},
    error_view::ErrorView,
    field::Field,
    icon::{Glyph, Icon},
    markdown::Markdown,
    numbers::{Duration, Elapsed, Money, RelativeTime},
    run_dialog::RunDialog,
    shortcuts::{Shortcut, use_shortcuts},
    sparkline::Sparkline,
    toast::{Toasts, use_toasts},
};
