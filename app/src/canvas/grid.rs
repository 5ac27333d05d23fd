//! A uniform grid: which rectangles are near a place, without looking at all of them.

use std::collections::HashMap;

use super::geometry::Rect;

/// Side of a cell. A node covers one to four of them.
const CELL: f64 = 512.0;
/// What would cover more cells than this is kept in one list instead (very long edges).
const MOST_CELLS: i64 = 96;

/// Rectangles by place. Items are indices; the caller keeps the rectangles.
#[derive(Debug, Clone, Default)]
pub struct Grid {
    cells: HashMap<(i32, i32), Vec<u32>>,
    long: Vec<u32>,
    /// Round in which an item was last found, so that each is reported once.
    seen: Vec<u32>,
    round: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cells {
    x0: i32,
    y0: i32,
    x1: i32,
    y1: i32,
}

impl Cells {
    fn of(area: Rect) -> Self {
        // `as` saturates: whatever lies beyond the last cell is put into it.
        let cell = |value: f64| (value / CELL).floor() as i32;
        Self {
            x0: cell(area.x),
            y0: cell(area.y),
            x1: cell(area.right()),
            y1: cell(area.bottom()),
        }
    }

    fn count(self) -> i64 {
        (i64::from(self.x1) - i64::from(self.x0) + 1)
            * (i64::from(self.y1) - i64::from(self.y0) + 1)
    }

    fn each(self) -> impl Iterator<Item = (i32, i32)> {
        (self.y0..=self.y1).flat_map(move |y| (self.x0..=self.x1).map(move |x| (x, y)))
    }
}

impl Grid {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.cells.clear();
        self.long.clear();
    }

    /// Adds an item.
    pub fn insert(&mut self, item: u32, area: Rect) {
        let cells = Cells::of(area);
        if cells.count() > MOST_CELLS {
            self.long.push(item);
            return;
        }
        for cell in cells.each() {
            self.cells.entry(cell).or_default().push(item);
        }
    }

    /// Takes an item out that was put in with this very rectangle.
    pub fn remove(&mut self, item: u32, area: Rect) {
        let cells = Cells::of(area);
        if cells.count() > MOST_CELLS {
            self.long.retain(|known| *known != item);
            return;
        }
        for cell in cells.each() {
            if let Some(list) = self.cells.get_mut(&cell) {
                list.retain(|known| *known != item);
                if list.is_empty() {
                    self.cells.remove(&cell);
                }
            }
        }
    }

    /// An item whose rectangle has changed.
    pub fn shift(&mut self, item: u32, from: Rect, to: Rect) {
        if Cells::of(from) != Cells::of(to) {
            self.remove(item, from);
            self.insert(item, to);
        }
    }

    /// Items that may touch `area`, each once, in no order. The caller looks at their rectangles.
    pub fn near(&mut self, area: Rect, found: &mut Vec<u32>) {
        found.clear();
        self.round = self.round.wrapping_add(1);
        let cells = Cells::of(area);
        if cells.count() > self.cells.len() as i64 {
            // Looking from far away: fewer cells hold something than are in view.
            let inside = |(x, y): (i32, i32)| {
                x >= cells.x0 && x <= cells.x1 && y >= cells.y0 && y <= cells.y1
            };
            for (cell, list) in &self.cells {
                if inside(*cell) {
                    note(list, &mut self.seen, self.round, found);
                }
            }
        } else {
            for cell in cells.each() {
                if let Some(list) = self.cells.get(&cell) {
                    note(list, &mut self.seen, self.round, found);
                }
            }
        }
        note(&self.long, &mut self.seen, self.round, found);
    }
}

fn note(list: &[u32], seen: &mut Vec<u32>, round: u32, found: &mut Vec<u32>) {
    for item in list {
        let at = *item as usize;
        if at >= seen.len() {
            // A fresh slot must differ from the round, whatever the round is.
            seen.resize(at + 1, round.wrapping_sub(1));
        }
        if seen[at] != round {
            seen[at] = round;
            found.push(*item);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::geometry::rect;

    fn near(grid: &mut Grid, area: Rect) -> Vec<u32> {
        let mut found = Vec::new();
        grid.near(area, &mut found);
        found.sort_unstable();
        found
    }

    #[test]
    fn finds_what_is_near_and_each_once() {
        let mut grid = Grid::default();
        grid.insert(0, rect(0.0, 0.0, 220.0, 60.0));
        grid.insert(1, rect(500.0, 500.0, 220.0, 60.0)); // over four cells
        grid.insert(2, rect(-9000.0, 0.0, 220.0, 60.0));
        assert_eq!(near(&mut grid, rect(0.0, 0.0, 1000.0, 1000.0)), [0, 1]);
        assert_eq!(near(&mut grid, rect(-9100.0, 0.0, 200.0, 10.0)), [2]);
        assert_eq!(near(&mut grid, rect(-1e6, -1e6, 2e6, 2e6)), [0, 1, 2]);
    }

    #[test]
    fn moved_and_removed_items_leave_nothing_behind() {
        let mut grid = Grid::default();
        let (a, b) = (rect(0.0, 0.0, 220.0, 60.0), rect(4000.0, 0.0, 220.0, 60.0));
        grid.insert(7, a);
        grid.shift(7, a, b);
        assert!(near(&mut grid, a).is_empty());
        assert_eq!(near(&mut grid, b), [7]);
        grid.remove(7, b);
        assert!(grid.cells.is_empty());
    }

    #[test]
    fn what_is_very_long_is_found_from_everywhere() {
        let mut grid = Grid::default();
        let long = rect(0.0, 0.0, 1e6, 10.0);
        grid.insert(3, long);
        assert_eq!(near(&mut grid, rect(5e5, 0.0, 10.0, 10.0)), [3]);
        grid.remove(3, long);
        assert!(near(&mut grid, rect(5e5, 0.0, 10.0, 10.0)).is_empty());
    }

    #[test]
    fn agrees_with_looking_at_everything() {
        let mut grid = Grid::default();
        let mut seed = 7u64;
        let mut random = |below: f64| {
            seed = seed
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (seed >> 33) as f64 / (1u64 << 31) as f64 * below
        };
        let areas: Vec<Rect> = (0..500)
            .map(|_| {
                rect(
                    random(9000.0) - 4500.0,
                    random(9000.0) - 4500.0,
                    random(900.0),
                    random(300.0),
                )
            })
            .collect();
        for (item, area) in areas.iter().enumerate() {
            grid.insert(item as u32, *area);
        }
        for _ in 0..50 {
            let view = rect(
                random(9000.0) - 4500.0,
                random(9000.0) - 4500.0,
                random(2000.0),
                random(2000.0),
            );
            let found = near(&mut grid, view);
            for (item, area) in areas.iter().enumerate() {
                if area.touches(view) {
                    assert!(found.contains(&(item as u32)));
                }
            }
        }
    }

    #[test]
    fn places_beyond_all_cells_do_not_hang() {
        let mut grid = Grid::default();
        grid.insert(0, rect(1e300, 1e300, 1.0, 1.0));
        grid.insert(1, rect(f64::NAN, 0.0, 1.0, 1.0));
        assert_eq!(near(&mut grid, rect(1e300, 1e300, 1.0, 1.0)), [0]);
    }
}
