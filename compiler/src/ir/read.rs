//! Reads the textual form that [`print`](super::print) writes: text in, a verified graph out.
//!
//! Numbers of nodes need not be dense or ascending in the text, only unique and defined before use; `//` begins a comment.
//! Whatever the text, the answer is a graph or an error with line and column.

use super::print::PLAIN_NAN;
use super::{ConvDims, DType, DotDims, Graph, Literal, NodeId, Op, OpKind, Slot, Target, Type, infer, verify};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Reads a graph.
///
/// # Errors
/// [`Error::Ir`] that begins with line and column of what is wrong; the verifier's faults, should there be any left.
pub fn read(text: &str) -> Result<Graph> {
    let mut reader = Reader { graph: Graph::new(), nodes: BTreeMap::new() };
    for (number, line) in text.lines().enumerate() {
        let mut cursor = Cursor { line, at: 0, number: number + 1 };
        cursor.skip();
        if !cursor.ended() {
            reader.line(&mut cursor)?;
        }
    }
    verify(&reader.graph)?;
    Ok(reader.graph)
}

impl std::str::FromStr for Graph {
    type Err = Error;

    fn from_str(text: &str) -> Result<Graph> {
        read(text)
    }
}

struct Reader {
    graph: Graph,
    /// Nodes by their number in the text.
    nodes: BTreeMap<u32, NodeId>,
}

impl Reader {
    fn line(&mut self, c: &mut Cursor) -> Result<()> {
        if c.take("%") {
            return self.node(c);
        }
        let start = c.at;
        match c.word() {
            "input" => {
                let slot = c.slot(&self.graph.inputs)?;
                self.graph.inputs.push(slot);
            }
            "state" => {
                let slot = c.slot(&self.graph.states)?;
                self.graph.states.push(slot);
            }
            "output" => {
                let name = c.string()?;
                let value = self.value(c)?;
                self.graph.outputs.push(super::Output { target: Target::Host(name), value });
            }
            "write" => {
                let index = c.name_of(&self.graph.states, "state")?;
                let value = self.value(c)?;
                self.graph.outputs.push(super::Output { target: Target::State(index), value });
            }
            _ => return Err(c.error(start, "expected input, state, output, write or a node (%…)")),
        }
        c.end()
    }

    /// `= %N` after the name of a result.
    fn value(&self, c: &mut Cursor) -> Result<NodeId> {
        c.expect("=")?;
        c.expect("%")?;
        self.defined(c)
    }

    /// The node of the number that follows.
    fn defined(&self, c: &mut Cursor) -> Result<NodeId> {
        let start = c.at;
        let number = c.number()?;
        let found = self.nodes.get(&(number as u32)).copied();
        found.ok_or_else(|| c.error(start, &format!("%{number} is not defined before")))
    }

    fn node(&mut self, c: &mut Cursor) -> Result<()> {
        let start = c.at;
        let number = c.number()? as u32;
        if self.nodes.contains_key(&number) {
            return Err(c.error(start, &format!("%{number} is defined twice")));
        }
        c.expect(":")?;
        c.skip();
        let type_start = c.at;
        let ty = c.ty()?;
        c.expect("=")?;
        c.skip();
        let op_start = c.at;
        let name = c.word();
        let Some(kind) = OpKind::ALL.iter().find(|k| k.name() == name) else {
            return Err(c.error(op_start, &format!("there is no op {name:?}")));
        };
        let mut args = Vec::new();
        if c.take("(") {
            while !c.take(")") {
                if !args.is_empty() {
                    c.expect(",")?;
                }
                c.expect("%")?;
                args.push(self.defined(c)?);
            }
        }
        let op = c.attributes(*kind, &self.graph)?;
        c.end()?;
        let id = self.graph.add(op, args).map_err(|e| c.error(op_start, &e.to_string()))?;
        let made = self.graph.ty(id);
        if *made != ty {
            return Err(c.error(type_start, &format!("the op makes a {made}")));
        }
        self.nodes.insert(number, id);
        Ok(())
    }
}

/// A place in a line.
struct Cursor<'a> {
    line: &'a str,
    /// Byte offset, always on a character boundary.
    at: usize,
    /// Line number, from 1.
    number: usize,
}

impl<'a> Cursor<'a> {
    fn error(&self, at: usize, what: &str) -> Error {
        let column = self.line.get(..at).map_or(0, |before| before.chars().count()) + 1;
        Error::ir(format!("line {}, column {column}: {what}", self.number))
    }

    fn rest(&self) -> &'a str {
        self.line.get(self.at..).unwrap_or("")
    }

    fn skip(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn ended(&self) -> bool {
        self.rest().is_empty() || self.rest().starts_with("//")
    }

    fn end(&mut self) -> Result<()> {
        self.skip();
        if self.ended() { Ok(()) } else { Err(self.error(self.at, "expected the end of the line")) }
    }

    /// Takes these characters, after white space, if they follow.
    fn take(&mut self, token: &str) -> bool {
        self.skip();
        let follows = self.rest().starts_with(token);
        if follows {
            self.at += token.len();
        }
        follows
    }

    fn expect(&mut self, token: &str) -> Result<()> {
        if self.take(token) { Ok(()) } else { Err(self.error(self.at, &format!("expected {token:?}"))) }
    }

    /// The longest run of such characters, after white space; may be empty.
    fn run(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        self.skip();
        let rest = self.rest();
        let length = rest.find(|ch| !belongs(ch)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn word(&mut self) -> &'a str {
        self.run(|ch| ch.is_ascii_alphanumeric() || ch == '_')
    }

    /// A number of reasonable size, so that arithmetic on attributes cannot overflow.
    fn number(&mut self) -> Result<usize> {
        self.skip();
        let start = self.at;
        let digits = self.run(|ch| ch.is_ascii_digit());
        let number: Option<usize> = digits.parse().ok().filter(|n| *n <= infer::MAX_EXTENT);
        number.ok_or_else(|| self.error(start, &format!("expected a number up to {}", infer::MAX_EXTENT)))
    }

    fn signed(&mut self) -> Result<isize> {
        let negative = self.take("-");
        let n = self.number()? as isize;
        Ok(if negative { -n } else { n })
    }

    fn truth(&mut self) -> Result<bool> {
        self.skip();
        let start = self.at;
        match self.word() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.error(start, "expected true or false")),
        }
    }

    fn list<T>(&mut self, element: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.expect("[")?;
        let mut elements = Vec::new();
        while !self.take("]") {
            if !elements.is_empty() {
                self.expect(",")?;
            }
            elements.push(element(self)?);
        }
        Ok(elements)
    }

    fn numbers(&mut self) -> Result<Vec<usize>> {
        self.list(Cursor::number)
    }

    fn dtype(&mut self) -> Result<DType> {
        self.skip();
        let start = self.at;
        DType::from_name(self.word()).ok_or_else(|| self.error(start, "expected f32, i32 or bool"))
    }

    fn ty(&mut self) -> Result<Type> {
        self.skip();
        let start = self.at;
        let ty = Type::new(self.dtype()?, self.numbers()?);
        match infer::elements(&ty.shape) {
            Some(_) => Ok(ty),
            None => Err(self.error(start, "too many elements")),
        }
    }

    /// A quoted name with the escapes of Rust strings.
    fn string(&mut self) -> Result<String> {
        self.skip();
        let start = self.at;
        let wrong = |c: &Self| c.error(start, "expected a quoted name");
        self.expect("\"").map_err(|_| wrong(self))?;
        let mut name = String::new();
        loop {
            let Some(ch) = self.rest().chars().next() else { return Err(wrong(self)) };
            self.at += ch.len_utf8();
            match ch {
                '"' => return Ok(name),
                '\\' => match self.escape() {
                    Some(ch) => name.push(ch),
                    None => return Err(wrong(self)),
                },
                _ => name.push(ch),
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Option<char> {
        let ch = self.rest().chars().next()?;
        self.at += ch.len_utf8();
        match ch {
            'n' => Some('\n'),
            't' => Some('\t'),
            'r' => Some('\r'),
            '0' => Some('\0'),
            '"' | '\'' | '\\' => Some(ch),
            'u' => {
                let (code, _) = self.rest().strip_prefix('{')?.split_once('}')?;
                self.at += code.len() + 2;
                char::from_u32(u32::from_str_radix(code, 16).ok()?)
            }
            _ => None,
        }
    }

    /// The declaration of a slot after its keyword.
    fn slot(&mut self, others: &[Slot]) -> Result<Slot> {
        self.skip();
        let start = self.at;
        let name = self.string()?;
        if name.is_empty() || others.iter().any(|s| s.name == name) {
            return Err(self.error(start, &format!("{name:?} is empty or declared before")));
        }
        self.expect(":")?;
        Ok(Slot { name, ty: self.ty()? })
    }

    /// The index of a slot by its name.
    fn name_of(&mut self, slots: &[Slot], what: &str) -> Result<u32> {
        self.skip();
        let start = self.at;
        let name = self.string()?;
        let index = slots.iter().position(|s| s.name == name).map(|i| i as u32);
        index.ok_or_else(|| self.error(start, &format!("there is no {what} {name:?}")))
    }

    fn literal(&mut self) -> Result<Literal> {
        self.skip();
        let start = self.at;
        let text = self.run(|ch| ch.is_ascii_alphanumeric() || ".+-:".contains(ch));
        let float = |text: &str| match text {
            "inf" => Some(f32::INFINITY),
            "-inf" => Some(f32::NEG_INFINITY),
            "nan" => Some(f32::from_bits(PLAIN_NAN)),
            _ => match text.strip_prefix("nan:") {
                Some(bits) => u32::from_str_radix(bits, 16).ok().map(f32::from_bits).filter(|v| v.is_nan()),
                None => text.parse().ok().filter(|v: &f32| v.is_finite()),
            },
        };
        let literal = match text {
            "true" => Some(Literal::Bool(true)),
            "false" => Some(Literal::Bool(false)),
            _ => text.parse().ok().map(Literal::I32).or_else(|| float(text).map(Literal::F32)),
        };
        literal.ok_or_else(|| self.error(start, "expected a number, true or false"))
    }

    /// `name=` before an attribute's value.
    fn key(&mut self, name: &str) -> Result<()> {
        self.skip();
        let start = self.at;
        match self.word() == name && self.take("=") {
            true => Ok(()),
            false => Err(self.error(start, &format!("expected {name}="))),
        }
    }

    fn numbers_of(&mut self, name: &str) -> Result<Vec<usize>> {
        self.key(name)?;
        self.numbers()
    }

    fn number_of(&mut self, name: &str) -> Result<usize> {
        self.key(name)?;
        self.number()
    }

    /// `name=[…]:[…]`.
    fn sides_of(&mut self, name: &str) -> Result<(Vec<usize>, Vec<usize>)> {
        let left = self.numbers_of(name)?;
        self.expect(":")?;
        Ok((left, self.numbers()?))
    }

    /// The op of a kind with the attributes that follow.
    fn attributes(&mut self, kind: OpKind, graph: &Graph) -> Result<Op> {
        Ok(match kind {
            OpKind::Input => Op::Input(self.name_of(&graph.inputs, "input")?),
            OpKind::State => Op::State(self.name_of(&graph.states, "state")?),
            OpKind::Const => Op::Const(self.literal()?),
            OpKind::Iota => Op::Iota { shape: self.numbers_of("shape")?, axis: self.number_of("axis")? },
            OpKind::Rng => Op::Rng { stream: self.stream()?, shape: self.numbers_of("shape")? },
            OpKind::Cast => {
                self.key("to")?;
                Op::Cast(self.dtype()?)
            }
            OpKind::StopGrad => Op::StopGrad,
            OpKind::Hold => Op::Hold,
            OpKind::Floor => Op::Floor,
            OpKind::Sign => Op::Sign,
            OpKind::Neg => Op::Neg,
            OpKind::Exp => Op::Exp,
            OpKind::Log => Op::Log,
            OpKind::Sqrt => Op::Sqrt,
            OpKind::Sin => Op::Sin,
            OpKind::Tanh => Op::Tanh,
            OpKind::Softplus => Op::Softplus,
            OpKind::Add => Op::Add,
            OpKind::Mul => Op::Mul,
            OpKind::Div => Op::Div,
            OpKind::Max => Op::Max,
            OpKind::Lt => Op::Lt,
            OpKind::Eq => Op::Eq,
            OpKind::Select => Op::Select,
            OpKind::Reshape => Op::Reshape(self.numbers_of("shape")?),
            OpKind::Transpose => Op::Transpose(self.numbers_of("perm")?),
            OpKind::Reverse => Op::Reverse(self.numbers_of("axes")?),
            OpKind::Broadcast => Op::Broadcast { shape: self.numbers_of("shape")?, dims: self.numbers_of("dims")? },
            OpKind::Slice => Op::Slice {
                start: self.numbers_of("start")?,
                stop: self.numbers_of("stop")?,
                step: self.numbers_of("step")?,
            },
            OpKind::Pad => {
                Op::Pad { lo: self.numbers_of("lo")?, hi: self.numbers_of("hi")?, interior: self.numbers_of("interior")? }
            }
            OpKind::Concat => Op::Concat { axis: self.number_of("axis")? },
            OpKind::ReduceSum => Op::ReduceSum(self.numbers_of("axes")?),
            OpKind::ReduceMax => Op::ReduceMax(self.numbers_of("axes")?),
            OpKind::CumSum => {
                let axis = self.number_of("axis")?;
                self.key("reverse")?;
                Op::CumSum { axis, reverse: self.truth()? }
            }
            OpKind::Dot => {
                let (lhs_batch, rhs_batch) = self.sides_of("batch")?;
                let (lhs_contract, rhs_contract) = self.sides_of("contract")?;
                Op::Dot(DotDims { lhs_batch, rhs_batch, lhs_contract, rhs_contract })
            }
            OpKind::Conv => Op::Conv(self.convolution()?),
            OpKind::Unfold => Op::Unfold {
                axis: self.number_of("axis")?,
                size: self.number_of("size")?,
                stride: self.number_of("stride")?,
                dilation: self.number_of("dilation")?,
            },
            OpKind::Fold => Op::Fold {
                axis: self.number_of("axis")?,
                length: self.number_of("length")?,
                stride: self.number_of("stride")?,
                dilation: self.number_of("dilation")?,
            },
            OpKind::Gather => Op::Gather { axis: self.number_of("axis")? },
            OpKind::ScatterAdd => Op::ScatterAdd { axis: self.number_of("axis")?, length: self.number_of("length")? },
        })
    }

    /// A stream is any 32 bits, so it may exceed what other numbers may.
    fn stream(&mut self) -> Result<u32> {
        self.key("stream")?;
        let start = self.at;
        let digits = self.run(|ch| ch.is_ascii_digit());
        digits.parse().map_err(|_| self.error(start, "expected a number of 32 bits"))
    }

    fn convolution(&mut self) -> Result<ConvDims> {
        let stride = self.numbers_of("stride")?;
        self.key("padding")?;
        let padding = self.list(|c| {
            let lo = c.signed()?;
            c.expect(":")?;
            Ok((lo, c.signed()?))
        })?;
        Ok(ConvDims {
            stride,
            padding,
            input_dilation: self.numbers_of("input_dilation")?,
            kernel_dilation: self.numbers_of("kernel_dilation")?,
            groups: self.number_of("groups")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Options, SplitMix64, random_program};

    fn round_trips(graph: &Graph) {
        let text = graph.to_string();
        let again = read(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(*graph, again, "{text}");
        assert_eq!(text, again.to_string());
    }

    #[test]
    fn random_programs_round_trip() {
        // Every op occurs in these programs: the generator's own test says so.
        (0..200).for_each(|seed| round_trips(&random_program(seed, &Options::default()).graph));
    }

    #[test]
    fn constants_keep_their_bits() {
        let mut graph = Graph::new();
        let odd =
            [0.1, -0.0, f32::MIN_POSITIVE / 4.0, f32::MAX, 1e20, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -f32::NAN];
        let floats = odd.into_iter().chain([f32::from_bits(0x7f80_0001), 3.0, f32::EPSILON]).map(Literal::F32);
        let rest = [Literal::I32(i32::MIN), Literal::I32(7), Literal::Bool(true), Literal::Bool(false)];
        for literal in floats.chain(rest) {
            graph.add(Op::Const(literal), vec![]).unwrap();
        }
        round_trips(&graph);
    }

    #[test]
    fn names_may_be_anything() {
        let mut graph = Graph::new();
        for name in ["D/conv 1.weight", "a\"b\\c", "größe\n\t\u{1}\u{200b}", "// no comment"] {
            let id = graph.input(name, Type::f32([]));
            graph.output(name, id);
            let id = graph.state(name, Type::f32([]));
            graph.write(graph.state_index(name).unwrap(), id);
        }
        round_trips(&graph);
    }

    #[test]
    fn written_by_hand() {
        let graph = read(
            "// two products share an operand\n\
             input \"x\" : f32[2, 3]\n\
             state \"w\": f32[ 3,3 ]   // square\n\n\
             %10: f32[2,3] = input \"x\"\n\
             %5: f32[3,3] = state \"w\"\n\
             %7: f32[2,3] = dot(%10,%5) batch=[]:[] contract=[1]:[0]\n\
             output \"y\" = %7\n\
             write \"w\" = %5",
        );
        let graph = graph.unwrap();
        assert_eq!((graph.nodes.len(), graph.outputs.len()), (3, 2));
    }

    #[test]
    fn errors_say_where() {
        let head = "input \"x\": f32[2]\n%0: f32[2] = input \"x\"\n";
        for (text, expected) in [
            ("nonsense", "line 3, column 1: expected input, state, output, write or a node (%…)"),
            ("%0: f32[2] = neg(%0)", "line 3, column 2: %0 is defined twice"),
            ("%1: f32[2] = neg(%3)", "line 3, column 19: %3 is not defined before"),
            ("%1: f32[3] = neg(%0)", "line 3, column 5: the op makes a f32[2]"),
            ("%1: f32[2] = negate(%0)", "line 3, column 14: there is no op \"negate\""),
            ("%1: f64[2] = neg(%0)", "line 3, column 5: expected f32, i32 or bool"),
            ("%1: f32[2] = neg(%0) axes=[1]", "line 3, column 22: expected the end of the line"),
            ("%1: f32[] = reduce_sum(%0) axis=[1]", "line 3, column 28: expected axes="),
            (
                "%1: f32[] = reduce_sum(%0) axes=[1]",
                "line 3, column 13: reduce_sum(f32[2]): axes [1] must be ascending and below 1",
            ),
            ("%1: f32[99999999999] = neg(%0)", "line 3, column 9: expected a number up to 2147483647"),
            ("%1: f32[2147483647,2147483647] = neg(%0)", "line 3, column 5: too many elements"),
            ("%1: f32[] = const 1.0.0", "line 3, column 19: expected a number, true or false"),
            ("%1: f32[2] = input \"y\"", "line 3, column 20: there is no input \"y\""),
            ("output \"y = %0", "line 3, column 8: expected a quoted name"),
            ("output \"größe\" = 0", "line 3, column 18: expected \"%\""),
            ("input \"x\": f32[]", "line 3, column 7: \"x\" is empty or declared before"),
        ] {
            assert_eq!(read(&format!("{head}{text}")).unwrap_err().to_string(), expected, "{text}");
        }
        // What only the whole graph shows comes from the verifier.
        let twice = format!("{head}output \"y\" = %0\noutput \"y\" = %0");
        assert_eq!(read(&twice).unwrap_err().to_string(), "output \"y\" declared twice");
    }

    #[test]
    fn no_text_makes_it_panic() {
        let mut rng = SplitMix64::new(3);
        for seed in 0..60 {
            let text = random_program(seed, &Options { nodes: 25, ..Options::default() }).graph.to_string();
            let characters: Vec<char> = text.chars().collect();
            for _ in 0..60 {
                let mut damaged = characters.clone();
                for _ in 0..rng.between(1, 3) {
                    let at = rng.below(damaged.len());
                    match rng.below(4) {
                        0 => drop(damaged.remove(at)),
                        1 => damaged.truncate(at),
                        2 => damaged[at] = *rng.choose(&['9', '-', '[', ']', '"', '\\', 'ü', ',', '0', '%', '\n']).unwrap(),
                        _ => damaged.splice(at..at, "9999999".chars()).for_each(drop),
                    }
                    if damaged.is_empty() {
                        break;
                    }
                }
                let _ = read(&damaged.into_iter().collect::<String>());
            }
        }
        for at in 0..40 {
            let line = "%0: f32[] = const 1.0 ü %1: f32[] = neg(%0)";
            let cut: String = line.chars().take(at).collect();
            let _ = read(&cut);
        }
    }
}
