//! What all shaders have in common: memory, its access functions, and small pieces of text.
//!
//! Memory is four buffers: the arena, the states and the inputs, all of 32-bit words, and a uniform record a dispatch that
//! says where each parameter lies. A buffer is seen as single words or, where every access of a shader allows it, as vectors of four.

/// The mathematics that bodies call.
const MATH: &str = include_str!("math.wgsl");

/// A piece of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Region {
    /// Intermediate values, and the scratch of reductions behind them.
    Arena,
    /// States, one after the other.
    States,
    /// What the host gave for this run.
    Inputs,
}

impl Region {
    /// All of them, in the order of their bindings.
    pub const ALL: [Region; 3] = [Region::Arena, Region::States, Region::Inputs];

    /// Begins the names of its access functions.
    pub fn letter(self) -> char {
        match self {
            Region::Arena => 'a',
            Region::States => 's',
            Region::Inputs => 'n',
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Region::Arena => "arena",
            Region::States => "states",
            Region::Inputs => "inputs",
        }
    }

    fn binding(self) -> usize {
        Region::ALL.iter().position(|region| *region == self).unwrap_or_default()
    }
}

/// How a shader sees its memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Elements taken at a time: 1 or 4.
    pub width: usize,
    /// For each parameter where it lies.
    pub regions: Vec<Region>,
    /// For each parameter whether its first element begins a vector of four.
    pub aligned: Vec<bool>,
    /// Regions seen as vectors of four.
    pub vectors: Vec<Region>,
}

impl Layout {
    /// Where a parameter lies.
    pub fn region(&self, param: usize) -> Region {
        self.regions[param]
    }

    /// A whole shader: memory, and what of the mathematics the text calls, before the text.
    pub fn complete(&self, text: &str) -> String {
        self.preamble() + &self.math(text) + text
    }

    fn preamble(&self) -> String {
        let mut text = String::new();
        for (alias, scalar) in [("F", "f32"), ("I", "i32"), ("U", "u32"), ("B", "bool")] {
            text += &match self.width {
                4 => format!("alias {alias} = vec4<{scalar}>;\n"),
                _ => format!("alias {alias} = {scalar};\n"),
            };
        }
        let records = self.regions.len().div_ceil(4).max(1);
        text += &format!("struct Args {{ words: vec4<u32>, at: array<vec4<i32>, {records}> }}\n");
        text += "@group(1) @binding(0) var<uniform> args: Args;\n";
        for region in Region::ALL {
            if self.regions.contains(&region) {
                text += &self.memory(region);
            }
        }
        text
    }

    /// Those functions of the mathematics that the text calls, and those that they call.
    fn math(&self, text: &str) -> String {
        let sine = self.sine();
        let all: Vec<&str> = MATH.split("\n\n").chain([sine.as_str()]).collect();
        // A piece's name stands before its first bracket, or is that of a constant.
        let name = |piece: &str| {
            let line = piece.lines().find(|line| line.starts_with("fn ") || line.starts_with("const ")).unwrap_or_default();
            let end = line.find(['(', '=']).unwrap_or(line.len());
            line[..end].trim_start_matches("fn ").trim_start_matches("const ").trim().to_string()
        };
        let names: Vec<String> = all.iter().map(|piece| name(piece)).collect();
        let calls = |text: &str, name: &str| {
            !name.is_empty() && text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
        };
        let mut wanted: Vec<bool> = names.iter().map(|name| calls(text, name)).collect();
        while let Some(next) =
            (0..all.len()).find(|i| !wanted[*i] && (0..all.len()).any(|j| wanted[j] && calls(all[j], &names[*i])))
        {
            wanted[next] = true;
        }
        let code = |piece: &&str| piece.lines().filter(|line| !line.starts_with("//")).collect::<Vec<_>>().join("\n") + "\n";
        all.iter().zip(wanted).filter(|(_, wanted)| *wanted).map(|(piece, _)| code(piece)).collect()
    }

    /// The sine, whose slow path takes one lane at a time.
    fn sine(&self) -> String {
        let (any, lanes) = match self.width {
            4 => ("any(slow)", &["[0]", "[1]", "[2]", "[3]"][..]),
            _ => ("slow", &[""][..]),
        };
        let mut text =
            String::from("fn sin_(x: F) -> F {\nlet a = abs(x);\nlet n = floor(fma(a, F(0.636619772), F(0.5)));\n");
        text += "var r = fma(n, F(-1.5703125), a);\nr = fma(second(n), F(-4.837512969970703e-4), r);\n";
        text += "r = fma(third(n), F(-7.549789948768648e-8), r);\n";
        text += "var q = I(min(n, F(65536.0)));\nlet slow = a > F(4096.0);\n";
        text += &format!("if ({any}) {{\nvar big: vec2<u32>;\n");
        for lane in lanes {
            text += &format!(
                "if (slow{lane}) {{ big = reduce_large(a{lane}); q{lane} = i32(big.x); r{lane} = bitcast<f32>(big.y); }}\n"
            );
        }
        text += "}\nlet value = sine_of(r, q);\n";
        text += "let signed = select(value, -value, (bits(x) & U(0x80000000u)) != U(0u));\n";
        text + "return select(signed, nan(), is_nan(x) | (a == infinity()));\n}\n"
    }

    /// The parameters' first elements, as constants of the entry point.
    pub fn bases(&self) -> String {
        let base = |p: usize| format!("let p{p} = args.at[{}][{}];\n", p / 4, p % 4);
        (0..self.regions.len()).map(base).collect()
    }

    fn memory(&self, region: Region) -> String {
        let (name, letter, binding) = (region.variable(), region.letter(), region.binding());
        let vectors = self.vectors.contains(&region);
        let element = if vectors { "vec4<u32>" } else { "u32" };
        let access = if region == Region::Inputs { "read" } else { "read_write" };
        let mut text = format!("@group(0) @binding({binding}) var<storage, {access}> {name}: array<{element}>;\n");
        if vectors {
            text += &format!("fn {letter}1(i: i32) -> u32 {{ return {name}[u32(i) >> 2u][u32(i) & 3u]; }}\n");
            text += &format!("fn {letter}4(i: i32) -> vec4<u32> {{ return {name}[u32(i) >> 2u]; }}\n");
        } else {
            text += &format!("fn {letter}1(i: i32) -> u32 {{ return {name}[i]; }}\n");
            text += &format!(
                "fn {letter}4(i: i32) -> vec4<u32> {{ return vec4<u32>({name}[i], {name}[i + 1], {name}[i + 2], {name}[i + 3]); }}\n"
            );
        }
        if region == Region::Inputs {
            return text;
        }
        if vectors {
            text += &format!("fn {letter}4_set(i: i32, v: vec4<u32>) {{ {name}[u32(i) >> 2u] = v; }}\n");
        } else {
            text += &format!("fn {letter}1_set(i: i32, v: u32) {{ {name}[i] = v; }}\n");
            text += &format!("fn {letter}4_set(i: i32, v: vec4<u32>) {{\n");
            text += &["x", "y", "z", "w"]
                .iter()
                .enumerate()
                .map(|(lane, part)| format!("{name}[i + {lane}] = v.{part};\n"))
                .collect::<String>();
            text += "}\n";
        }
        text
    }
}

/// A float as a value of type `F`. What is not finite cannot be a constant of the language.
pub fn float(v: f32) -> String {
    match v {
        v if v.is_nan() => "nan()".into(),
        v if v.is_infinite() => if v > 0.0 { "infinity()" } else { "-infinity()" }.into(),
        // Numbers below the normal ones, and −0, by their bits.
        v if v.to_bits() != 0 && v.abs() < f32::MIN_POSITIVE => format!("bitcast<F>(U({}u))", v.to_bits()),
        v => format!("F({v:?})"),
    }
}

/// Truth values as words: 0 or all bits.
pub fn bool_word(value: &str) -> String {
    format!("select(U(0u), U(0xffffffffu), {value})")
}

/// `offset + Σ factor·term` as text.
pub fn sum(offset: i64, terms: impl Iterator<Item = (String, i64)>) -> String {
    let mut parts: Vec<String> = terms
        .map(|(term, factor)| match factor {
            1 => term,
            factor if factor < 0 => format!("{term} * ({factor})"),
            factor => format!("{term} * {factor}"),
        })
        .collect();
    if offset != 0 || parts.is_empty() {
        parts.push(if offset < 0 { format!("({offset})") } else { offset.to_string() });
    }
    parts.join(" + ")
}

/// Statements that take a linear index apart into one variable an axis, the last axis fastest.
pub fn digits(linear: &str, axes: &[(String, usize)]) -> String {
    let mut text = String::new();
    let mut rest = linear.to_string();
    for (number, (name, extent)) in axes.iter().enumerate().rev() {
        if number == 0 {
            text += &format!("let {name} = i32({rest});\n");
            break;
        }
        text += &format!("let {name} = i32({rest} % {extent}u);\nlet {name}_up = {rest} / {extent}u;\n");
        rest = format!("{name}_up");
    }
    text
}
