//! The shapes that a workgroup's share of a product can have, and which of them a product may take.
//!
//! What always holds: every sum is added up in the same order in every tile, and where it is cut depends on sizes alone. So the choice
//! changes how long a product takes and no bit of its result, and it can be left to a measurement.

use super::Options;
use super::product::Product;
use std::fmt;
use std::str::FromStr;

/// The shape of a workgroup's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Rows of C.
    pub rows: usize,
    /// Columns of C.
    pub columns: usize,
    /// Rows and columns of an invocation: one or two blocks of four each.
    pub blocks: usize,
}

impl Tile {
    /// Tiles there are: those for many rows and columns, largest first, then those for few of either.
    pub const ALL: [Tile; 7] = [
        Tile { rows: 128, columns: 128, blocks: 2 },
        Tile { rows: 64, columns: 64, blocks: 2 },
        Tile { rows: 32, columns: 32, blocks: 1 },
        Tile { rows: 128, columns: 4, blocks: 1 },
        Tile { rows: 4, columns: 128, blocks: 1 },
        Tile { rows: 64, columns: 16, blocks: 1 },
        Tile { rows: 16, columns: 64, blocks: 1 },
    ];
    /// Those of them, from the first, that are for many rows and columns.
    const WIDE: usize = 3;

    /// Invocations of a workgroup.
    pub(super) fn invocations(self) -> usize {
        self.rows * self.columns / (16 * self.blocks * self.blocks)
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.rows, self.columns)
    }
}

impl FromStr for Tile {
    type Err = String;

    fn from_str(text: &str) -> Result<Tile, String> {
        let known = Tile::ALL.map(|tile| tile.to_string());
        let found = known.iter().position(|name| name == text).map(|i| Tile::ALL[i]);
        found.ok_or_else(|| format!("no tile is {text:?}; there are {}", known.join(", ")))
    }
}

/// A product of a program, and the tiles that it can be computed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The plan's step.
    pub step: usize,
    /// What is the same of products that take equally long in the same tile: sizes, directions, what follows.
    pub product: String,
    /// The tile taken.
    pub tile: Tile,
    /// All that suit it, the one that its size suggests first.
    pub tiles: Vec<Tile>,
}

/// Workgroups that a device should have at least.
pub(super) const WORKGROUPS: usize = 128;

impl Product {
    /// Workgroups that it takes in this tile.
    pub(super) fn workgroups(&self, tile: Tile) -> usize {
        let [m, n, _] = self.size;
        m.div_ceil(tile.rows) * n.div_ceil(tile.columns) * self.batch
    }

    /// The largest tile that leaves no core of the device idle, and is not mostly empty.
    pub(super) fn suggested(&self) -> Tile {
        let [m, n, _] = self.size;
        match (m, n) {
            (_, ..=4) => return Tile::ALL[3],
            (..=4, _) => return Tile::ALL[4],
            (_, ..=16) => return Tile::ALL[5],
            (..=16, _) => return Tile::ALL[6],
            _ => {}
        }
        let suits =
            |tile: &Tile| 4 * m >= 3 * tile.rows && 4 * n >= 3 * tile.columns && self.workgroups(*tile) >= WORKGROUPS;
        Tile::ALL.into_iter().take(2).find(suits).unwrap_or(match m.min(n) {
            48.. if m.max(n) >= 48 => Tile::ALL[1],
            _ => Tile::ALL[2],
        })
    }

    /// The tile that options give, or its size suggests.
    pub(super) fn tile(&self, options: &Options) -> Tile {
        let known = || options.tiles.get(&self.name()).copied().filter(|tile| self.tiles().contains(tile));
        options.tile.or_else(known).unwrap_or_else(|| self.suggested())
    }

    /// The suggested tile, and others that are not mostly empty.
    fn tiles(&self) -> Vec<Tile> {
        let [m, n, _] = self.size;
        let first = self.suggested();
        let narrow = m.min(n) <= 16;
        let suits = |tile: &Tile| *tile != first && !narrow && 2 * m > tile.rows && 2 * n > tile.columns;
        std::iter::once(first).chain(Tile::ALL.into_iter().take(Tile::WIDE).filter(suits)).collect()
    }

    /// The choice that it is.
    pub(super) fn choice(&self, step: usize, options: &Options) -> Choice {
        Choice { step, product: self.name(), tile: self.tile(options), tiles: self.tiles() }
    }

    /// Its name among products that differ in what matters for time.
    fn name(&self) -> String {
        let [m, n, k] = self.size;
        let many = if self.batch == 1 { String::new() } else { format!("{} times ", self.batch) };
        let after = self.finish.as_ref().map_or(String::new(), |f| format!(" then {}", f.kernel.body.len()));
        let added = if self.accumulate { " added" } else { "" };
        let along = format!("{:?} {:?}", self.left.along, self.right.along);
        format!("{many}{:?} {m}x{k}x{n} {along}{added}{after}", self.kind).to_lowercase()
    }
}
