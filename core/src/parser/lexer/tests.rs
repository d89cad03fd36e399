use super::{Lexer, TokenKind};

/// The kinds and texts of the tokens of the first statement.
fn lex(text: &str) -> Vec<String> {
    let Some(lexed) = Lexer::new(text).statement() else { return Vec::new() };
    let show = |token: &super::Token| {
        let written = &text[token.start..token.end];
        match &token.kind {
            TokenKind::Word(word, _) => format!("w:{word}"),
            TokenKind::Quoted(name) => format!("q:{name}"),
            TokenKind::Number(digits) => format!("n:{digits}"),
            TokenKind::String(text) => format!("s:{text}"),
            TokenKind::Binary(digits) => format!("b:{digits}"),
            TokenKind::Hexadecimal(digits) => format!("x:{digits}"),
            TokenKind::Parameter(number) => format!("p:{number}"),
            TokenKind::Operator => format!("o:{written}"),
            TokenKind::Punctuation(character) => character.to_string(),
        }
    };
    lexed.tokens.iter().map(show).collect()
}

#[test]
fn operators_end_where_postgresql_ends_them() {
    for (text, expected) in [
        ("a+-1", vec!["w:a", "o:+", "o:-", "n:1"]),
        ("a=-1", vec!["w:a", "o:=", "o:-", "n:1"]),
        ("a@-1", vec!["w:a", "o:@-", "n:1"]),
        ("a<>-1", vec!["w:a", "o:<>", "o:-", "n:1"]),
        ("a*/*c*/b", vec!["w:a", "o:*", "w:b"]),
        ("a---b\nc", vec!["w:a", "w:c"]),
        ("a->>'b'", vec!["w:a", "o:->>", "s:b"]),
        ("a::b", vec!["w:a", "o:::", "w:b"]),
        ("a||?", vec!["w:a", "o:||", "p:1"]),
        ("a=?", vec!["w:a", "o:=", "p:1"]),
        ("a@?b", vec!["w:a", "o:@?", "w:b"]),
        ("(*)", vec!["(", "o:*", ")"]),
    ] {
        assert_eq!(lex(text), expected, "{text}");
    }
}

#[test]
fn literals_and_names_are_told_apart() {
    for (text, expected) in [
        ("E'a\\'b' e", vec!["s:a'b", "w:e"]),
        ("B'01' X'ff' b x", vec!["b:01", "x:ff", "w:b", "w:x"]),
        ("n'a' u&'\\0061' u & b", vec!["s:a", "s:a", "w:u", "o:&", "w:b"]),
        ("U&\"\\0061b\"", vec!["q:ab"]),
        ("'a' 'b'", vec!["s:a", "s:b"]),
        ("'a' -- c\n 'b'", vec!["s:a", "s:b"]),
        ("'a'\n -- c\n 'b'", vec!["s:ab"]),
        ("1..2", vec!["n:1", "o:..", "n:2"]),
        ("t.1", vec!["w:t", "n:.1"]),
        ("1.e2", vec!["n:1.e2"]),
        ("0b11 0o17", vec!["n:3", "n:15"]),
        ("$a$b$a$ $1 $$$$", vec!["s:b", "p:1", "s:"]),
        ("a$b $c", vec!["w:a$b", "p:1"]),
    ] {
        assert_eq!(lex(text), expected, "{text}");
    }
}

#[test]
fn positions_count_characters() {
    let lexed = Lexer::new("'äö' x /* ü */ \u{1F600}").statement().expect("tokens");
    assert_eq!(lexed.tokens.iter().map(|t| t.position).collect::<Vec<_>>(), [1, 6, 16]);
}

#[test]
fn keywords_are_sorted() {
    // A binary search looks them up.
    use super::keyword::{Category, category, is_bare_label};
    assert_eq!(category("select"), Category::Reserved);
    assert_eq!(category("zone"), Category::Unreserved);
    assert_eq!(category("abort"), Category::Unreserved);
    assert_eq!(category("between"), Category::ColumnName);
    assert_eq!(category("left"), Category::TypeOrFunction);
    assert_eq!(category("foo"), Category::None);
    assert!(is_bare_label("select") && !is_bare_label("from") && is_bare_label("foo"));
    assert_eq!(["within", "without", "array", "as"].map(is_bare_label), [false; 4]);
}
