//! Money: what model calls took (`usage`), and what they may take (`budgets`).

pub mod budgets;
pub mod usage;
