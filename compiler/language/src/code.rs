//! The compact text form of a model that the expansion of `gan!` carries: [`encode`] and [`decode`].
//!
//! A prefix code: every field in order, separated by spaces; variants by number, lists and strings after their length. It is
//! no file format: the macro and the compiler that read and write it have one version.

use crate::tree::*;

/// The text form of a model.
pub fn encode(model: &Model) -> String {
    let mut out = String::new();
    model.write(&mut out);
    out
}

/// Reads what [`encode`] wrote.
pub fn decode(text: &str) -> Result<Model, String> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let model = Model::read(&mut reader)?;
    if reader.at == text.len() { Ok(model) } else { Err(reader.error("the end")) }
}

/// Trees in each other that are read; the macro writes none as deep.
const DEEPEST: usize = 2_000;

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Boxes and lists around what is being read.
    depth: usize,
}

impl<'a> Reader<'a> {
    fn error(&self, expected: &str) -> String {
        format!("the model's text form is damaged at byte {}: expected {expected}", self.at)
    }

    fn word(&mut self) -> Result<&'a str, String> {
        let rest = self.text.get(self.at..).unwrap_or("");
        let end = rest.find(' ').ok_or_else(|| self.error("a word"))?;
        self.at += end + 1;
        Ok(&rest[..end])
    }

    /// Reads what lies in a box or list.
    fn inside<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        if self.depth >= DEEPEST {
            return Err(self.error("a tree of less depth"));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn take(&mut self, length: usize) -> Result<&'a str, String> {
        let end = self.at.checked_add(length).ok_or_else(|| self.error("a length"))?;
        let taken = self.text.get(self.at..end).ok_or_else(|| self.error("a string"))?;
        self.at = end;
        Ok(taken)
    }
}

/// What can be written and read.
trait Code: Sized {
    fn write(&self, out: &mut String);
    fn read(reader: &mut Reader<'_>) -> Result<Self, String>;
}

macro_rules! words {
    ($($ty:ty),*) => {$(
        impl Code for $ty {
            fn write(&self, out: &mut String) {
                out.push_str(&format!("{self:?} "));
            }
            fn read(reader: &mut Reader<'_>) -> Result<$ty, String> {
                let word = reader.word()?;
                word.parse().map_err(|_| reader.error(stringify!($ty)))
            }
        }
    )*};
}

words!(u32, usize, f64, bool);

impl Code for String {
    fn write(&self, out: &mut String) {
        self.len().write(out);
        out.push_str(self);
    }

    fn read(reader: &mut Reader<'_>) -> Result<String, String> {
        let length = usize::read(reader)?;
        reader.take(length).map(str::to_string)
    }
}

impl<T: Code> Code for Box<T> {
    fn write(&self, out: &mut String) {
        T::write(self, out);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Box<T>, String> {
        reader.inside(T::read).map(Box::new)
    }
}

impl<T: Code> Code for Option<T> {
    fn write(&self, out: &mut String) {
        self.is_some().write(out);
        if let Some(value) = self {
            value.write(out);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Option<T>, String> {
        if bool::read(reader)? { T::read(reader).map(Some) } else { Ok(None) }
    }
}

impl<T: Code> Code for Vec<T> {
    fn write(&self, out: &mut String) {
        self.len().write(out);
        self.iter().for_each(|item| item.write(out));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Vec<T>, String> {
        let length = usize::read(reader)?;
        reader.inside(|reader| (0..length).map(|_| T::read(reader)).collect())
    }
}

impl Code for Site {
    fn write(&self, out: &mut String) {
        self.0.write(out);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Site, String> {
        u32::read(reader).map(Site)
    }
}

macro_rules! structs {
    ($($name:ident { $($field:ident),* })*) => {$(
        impl Code for $name {
            fn write(&self, out: &mut String) {
                let $name { $($field),* } = self;
                $($field.write(out);)*
            }
            fn read(reader: &mut Reader<'_>) -> Result<$name, String> {
                Ok($name { $($field: Code::read(reader)?),* })
            }
        }
    )*};
}

macro_rules! enums {
    ($($name:ident { $($tag:literal $variant:ident { $($field:ident),* })* })*) => {$(
        impl Code for $name {
            fn write(&self, out: &mut String) {
                match self {
                    $($name::$variant { $($field),* } => {
                        out.push_str(concat!($tag, " "));
                        $($field.write(out);)*
                    })*
                }
            }
            fn read(reader: &mut Reader<'_>) -> Result<$name, String> {
                match usize::read(reader)? {
                    $($tag => Ok($name::$variant { $($field: Code::read(reader)?),* }),)*
                    _ => Err(reader.error(concat!("a variant of ", stringify!($name)))),
                }
            }
        }
    )*};
}

structs! {
    Place { line, column }
    Name { text, site }
    Model { name, consts, hypers, groups, noises, latents, nets, fns, lets, divergences, players, trains, phases, metrics,
            outputs, unread, outer, functions, places }
    Const { name, kind, value }
    Hyper { name, value }
    Group { name, fields, single }
    Field { name, ty }
    Noise { name, value }
    Latent { name, ty, per, initial }
    Attribute { name, arguments }
    Net { name, attributes, parameters, result, body }
    Param { name, ty }
    Fn { name, parameters, body }
    Let { pattern, value }
    Divergence { name, parameter, value, conjugate, activation }
    Player { name, updates, maximize, body, game }
    Train { site, simultaneous, lines }
    TrainLine { players, optimiser, settings }
    Setting { name, value }
    Phase { name, players }
    Metric { name, value }
    Output { name, parameters, value }
    Block { site, statements, value }
    Expr { site, kind }
}

enums! {
    ConstKind { 0 Usize {} 1 F32 {} 2 Bool {} }
    Type { 0 Tensor { site, shape, class } 1 Tuple { site, parts } 2 Unknown { site } }
    Pattern { 0 Bind { name, mutable } 1 Ignore { site } 2 Tuple { site, parts } }
    Statement {
        0 Let { pattern, value } 1 Assign { name, op, value } 2 Push { name, value } 3 For { pattern, over, body }
    }
    Binary {
        0 Add {} 1 Sub {} 2 Mul {} 3 Div {} 4 Less {} 5 LessEqual {} 6 Greater {} 7 GreaterEqual {} 8 Equal {} 9 NotEqual {}
    }
    ExprKind {
        0 Number { value } 1 Bool { value } 2 Name { name } 3 Path { function, arguments } 4 Binary { op, left, right }
        5 Neg { value } 6 Call { name, method, arguments, named } 7 Expectation { value } 8 Field { value, field }
        9 Part { value, index } 10 Index { value, index } 11 Tuple { parts } 12 List { items } 13 Range { from, to }
        14 If { condition, then, otherwise } 15 Block { block } 16 Closure { parameters, body } 17 Unknown {}
    }
}
