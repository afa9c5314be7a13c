//! 43. Tree search for games: minimax, alpha-beta (Knuth and Moore 1975) and UCT (Kocsis and Szepesvári 2006) with c = √2.
//!
//! The search is Rust around the model: leaves get their value from a net's output, all children of a leaf in one call, and the
//! net learns from the boards that the search has visited.

use crate::harness::System;
use saddlepoint::prelude::*;

gan! {
    /// How a game will end for the side to move: 1 won, −1 lost.
    pub model Judge {
        const H: usize;
        data seen { board: [9], result: [] }
        net V(board: [9]) -> [1] { board.dense(H).tanh().dense(1).tanh() }
        player V minimizes { E[square(V(board) - result)] }
        train { V: adam(0.01); }
        output value(board) = V(board);
    }
}

#[test]
fn value_net() {
    let system = System::of(&Judge::build(JudgeConsts { H: 4 }, Config::new().batch(3)).expect("it builds"));
    system.loss("V", |t| {
        let value = t.dense("V.dense_1", &t.dense("V.dense_0", &t.data("seen.board")).tanh()).tanh();
        (0..3).map(|i| (value.values()[i] - t.data("seen.result").values()[i]).powi(2)).sum::<f64>() / 3.0
    });
    system.output("value", 0, |t| t.dense("V.dense_1", &t.dense("V.dense_0", &t.argument("board")).tanh()).tanh());
    system.audit();
}

/// Tic-tac-toe, seen by the side to move: 1 its own stone, −1 the other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Board([i8; 9]);

const LINES: [[usize; 3]; 8] = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 3, 6], [1, 4, 7], [2, 5, 8], [0, 4, 8], [2, 4, 6]];

impl Board {
    fn after(moves: &[usize]) -> Board {
        moves.iter().fold(Board([0; 9]), |board, place| board.play(*place))
    }

    fn moves(&self) -> Vec<usize> {
        (0..9).filter(|place| self.0[*place] == 0).collect()
    }

    fn play(&self, place: usize) -> Board {
        let mut cells = self.0;
        cells[place] = 1;
        Board(cells.map(|stone| -stone))
    }

    /// The result for the side to move, if the game is over. Only the side that moved last can have won.
    fn end(&self) -> Option<f64> {
        let lost = LINES.iter().any(|line| line.iter().all(|place| self.0[*place] == -1));
        match self.moves().is_empty() {
            _ if lost => Some(-1.0),
            true => Some(0.0),
            false => None,
        }
    }

    /// This board and all that can follow.
    fn reachable(self, into: &mut std::collections::BTreeSet<Board>) {
        if into.insert(self) && self.end().is_none() {
            self.moves().into_iter().for_each(|place| self.play(place).reachable(into));
        }
    }
}

fn minimax(board: Board, nodes: &mut usize) -> f64 {
    *nodes += 1;
    board.end().unwrap_or_else(|| {
        board.moves().into_iter().map(|place| -minimax(board.play(place), nodes)).fold(f64::NEG_INFINITY, f64::max)
    })
}

/// What minimax gives, if it lies between both bounds; else a bound on the same side.
fn alpha_beta(board: Board, mut low: f64, high: f64, nodes: &mut usize) -> f64 {
    *nodes += 1;
    if let Some(result) = board.end() {
        return result;
    }
    let mut best = f64::NEG_INFINITY;
    for place in board.moves() {
        best = best.max(-alpha_beta(board.play(place), -high, -low, nodes));
        low = low.max(best);
        if low >= high {
            break;
        }
    }
    best
}

const OPENINGS: [[usize; 3]; 4] = [[4, 0, 8], [0, 4, 8], [0, 1, 4], [1, 5, 6]];

fn positions() -> Vec<Board> {
    let mut found = std::collections::BTreeSet::new();
    OPENINGS.iter().for_each(|opening| Board::after(opening).reachable(&mut found));
    found.into_iter().collect()
}

#[test]
fn alpha_beta_is_minimax_with_fewer_boards() {
    let (mut all, mut looked_at) = (0, 0);
    for board in positions() {
        let exact = minimax(board, &mut all);
        assert_eq!(alpha_beta(board, f64::NEG_INFINITY, f64::INFINITY, &mut looked_at), exact, "{board:?}");
        // A narrow window decides on which side of it the value lies.
        let above = alpha_beta(board, 0.0, 0.5, &mut 0) > 0.0;
        assert_eq!(above, exact > 0.0, "{board:?}");
    }
    assert!(3 * looked_at < 2 * all, "{looked_at} boards instead of {all}");
}

/// One board of a search tree.
struct Node {
    board: Board,
    /// What its leaf is worth to the side to move.
    worth: f64,
    visits: f64,
    /// Sum over visits of what came back, for the side to move.
    total: f64,
    children: Vec<usize>,
}

impl Node {
    fn mean(&self) -> f64 {
        self.total / self.visits
    }
}

/// Upper confidence bounds applied to trees; `judge` values boards for the side to move. All boards with their visits, the root first.
fn uct(root: Board, playouts: usize, judge: &mut impl FnMut(&[Board]) -> Vec<f64>) -> Vec<Node> {
    let leaf = |board: Board, worth| Node { board, worth, visits: 0.0, total: 0.0, children: vec![] };
    let mut tree = vec![leaf(root, 0.0)];
    for _ in 0..playouts {
        let mut path = vec![0];
        loop {
            let at = path[path.len() - 1];
            let board = tree[at].board;
            if board.end().is_some() || (path.len() > 1 && tree[at].visits == 0.0) {
                break;
            }
            if tree[at].children.is_empty() {
                let next: Vec<Board> = board.moves().into_iter().map(|place| board.play(place)).collect();
                for (board, worth) in next.iter().zip(judge(&next)) {
                    let child = tree.len();
                    tree[at].children.push(child);
                    tree.push(leaf(*board, board.end().unwrap_or(worth)));
                }
            }
            let visits = tree[at].visits;
            let bound = |child: &Node| match child.visits {
                0.0 => f64::INFINITY,
                n => -child.mean() + (2.0 * visits.ln() / n).sqrt(),
            };
            // The first of the largest.
            let best = tree[at].children.iter().copied().rev().max_by(|a, b| bound(&tree[*a]).total_cmp(&bound(&tree[*b])));
            path.push(best.expect("a move"));
        }
        let mut worth = tree[path[path.len() - 1]].worth;
        for at in path.into_iter().rev() {
            tree[at].visits += 1.0;
            tree[at].total += worth;
            worth = -worth;
        }
    }
    tree
}

fn most_visited<'t>(tree: &'t [Node], node: &Node) -> &'t Node {
    let children = node.children.iter().map(|child| &tree[*child]);
    children.max_by(|a, b| a.visits.total_cmp(&b.visits)).expect("a move")
}

/// The board after the move that a search makes.
fn chosen(tree: &[Node]) -> Board {
    most_visited(tree, &tree[0]).board
}

fn rows(boards: &[Board]) -> Tensor {
    let cells = boards.iter().flat_map(|board| board.0.map(f32::from)).collect();
    Tensor::new([boards.len(), 9], cells).expect("nine cells a board")
}

fn judged(net: &mut Judge, boards: &[Board]) -> Vec<f64> {
    let values = net.value(&rows(boards)).expect("an output");
    values.as_slice().iter().map(|v| f64::from(*v)).collect()
}

fn built() -> Judge {
    Judge::build(JudgeConsts { H: 24 }, Config::new().batch(32).seed(1)).expect("it builds")
}

/// Boards on which something can go wrong: a move exists that minimax would not make.
fn decisions() -> Vec<Board> {
    let wrong = |board: &Board| {
        let exact = minimax(*board, &mut 0);
        board.end().is_none() && board.moves().iter().any(|place| -minimax(board.play(*place), &mut 0) < exact)
    };
    positions().into_iter().filter(wrong).collect()
}

/// How many choices of a search are as good as minimax's.
fn right_choices(net: &mut Judge, boards: &[Board], playouts: usize) -> usize {
    let right = |board: &&Board| {
        let next = chosen(&uct(**board, playouts, &mut |boards| judged(net, boards)));
        -minimax(next, &mut 0) == minimax(**board, &mut 0)
    };
    boards.iter().filter(right).count()
}

/// The same without a search: the board that the net thinks worst for the other side.
fn right_alone(net: &mut Judge, boards: &[Board]) -> usize {
    let mut right = |board: &&Board| {
        let next: Vec<Board> = board.moves().into_iter().map(|place| board.play(place)).collect();
        let worth = judged(net, &next);
        let best = (0..next.len()).min_by(|a, b| worth[*a].total_cmp(&worth[*b])).expect("a move");
        -minimax(next[best], &mut 0) == minimax(**board, &mut 0)
    };
    boards.iter().filter(|board| right(board)).count()
}

#[test]
fn uct_finds_the_best_moves() {
    let mut net = built();
    let openings: Vec<Board> = OPENINGS.iter().map(|opening| Board::after(opening)).collect();
    assert_eq!(right_choices(&mut net, &openings, 1_500), openings.len(), "with a net that knows nothing");
    let later: Vec<Board> = decisions().into_iter().filter(|board| board.moves().len() < 5).step_by(5).collect();
    assert!(later.len() > 20, "{} boards", later.len());
    assert_eq!(right_choices(&mut net, &later, 300), later.len());
}

#[test]
fn the_net_learns_from_visited_boards() {
    let mut net = built();
    let boards: Vec<Board> = decisions().into_iter().step_by(3).collect();
    let error = |net: &mut Judge| {
        let values = judged(net, &boards);
        let squares = boards.iter().zip(values).map(|(board, value)| (value - minimax(*board, &mut 0)).powi(2));
        squares.sum::<f64>() / boards.len() as f64
    };
    let (before, first) = (error(&mut net), right_alone(&mut net, &boards));
    // Boards that searches looked at often, with what they thought of them in the end: the value of the most visited move.
    let mut visited: Vec<(Board, f32)> = Vec::new();
    for opening in OPENINGS.iter().cycle().take(8) {
        let mut board = Board::after(opening);
        while board.end().is_none() {
            let tree = uct(board, 300, &mut |boards| judged(&mut net, boards));
            let known = tree.iter().filter(|node| node.visits >= 4.0 && !node.children.is_empty());
            visited.extend(known.map(|node| (node.board, -most_visited(&tree, node).mean() as f32)));
            board = chosen(&tree);
        }
        for round in 0..60 {
            let batch: Vec<(Board, f32)> = (0..32).map(|i| visited[(round * 32 + i) * 37 % visited.len()]).collect();
            let boards: Vec<Board> = batch.iter().map(|(board, _)| *board).collect();
            let seen = JudgeSeen { board: rows(&boards), result: Tensor::from_fn(32, |i| batch[i].1) };
            net.step(&[JudgeBatch { seen }]).expect("a step");
        }
    }
    let (after, last) = (error(&mut net), right_alone(&mut net, &boards));
    assert!(after < 0.7 * before, "squared error against minimax: {before} before, {after} after");
    assert!(last > first + 20, "right choices out of {} without a search: {first} before, {last} after", boards.len());
}
