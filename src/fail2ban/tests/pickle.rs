//! The codec against what Python writes, and against what nobody should write.

use std::time::{Duration, Instant};

use super::{RECORDED, TYPES};
use crate::fail2ban::pickle::{
    MAX_DEPTH, MAX_ITEMS, MAX_PICKLE_BYTES, PickleError, Value, decode, encode_command,
};

fn str(text: &str) -> Value {
    Value::Str(text.into())
}

fn list(items: &[Value]) -> Value {
    Value::List(items.to_vec())
}

fn tuple(items: &[Value]) -> Value {
    Value::Tuple(items.to_vec())
}

fn int(number: i64) -> Value {
    Value::Int(number)
}

#[test]
fn a_command_is_encoded_as_python_reads_it() {
    let words = ["set", "sshd", "banip", "198.51.100.7", "é"];
    let pickle = encode_command(&words);
    assert!(pickle.starts_with(b"\x80\x02](X\x03\x00\x00\x00set"));
    assert_eq!(decode(&pickle), Ok(list(&words.map(str))));
    assert_eq!(decode(&encode_command::<&str>(&[])), Ok(list(&[])));
}

#[test]
fn every_recorded_reply_is_read() {
    for reply in RECORDED {
        decode(reply).unwrap();
    }
}

#[test]
fn every_type_is_read_in_every_protocol() {
    for (protocol, reply) in TYPES.into_iter().enumerate() {
        let Value::Tuple(reply) = decode(reply).unwrap() else { panic!("protocol {protocol}") };
        let [Value::Int(0), Value::List(values)] = &reply[..] else { panic!("{reply:?}") };
        let expected = [
            Value::None,
            Value::Bool(true),
            Value::Bool(false),
            int(0),
            int(-1),
            int(255),
            int(65536),
            int(-(1 << 31)),
            int(1 << 31),
            int(i64::MAX),
            int(i64::MIN),
            Value::BigInt,
            Value::BigInt,
            Value::Float(1.5),
            Value::Float(f64::INFINITY),
            str(""),
            str("é\u{1f600}"),
        ];
        assert_eq!(values[..17], expected, "protocol {protocol}");
        let expected = [
            tuple(&[]),
            tuple(&[int(1)]),
            tuple(&[int(1), int(2)]),
            tuple(&[int(1), int(2), int(3)]),
            tuple(&[int(1), int(2), int(3), int(4)]),
            list(&[]),
            Value::Dict(vec![]),
            Value::Dict(vec![(str("a"), int(1)), (str("b"), list(&[int(2)]))]),
        ];
        assert_eq!(values[18..26], expected, "protocol {protocol}");
        if protocol >= 3 {
            assert_eq!(values[17], Value::Bytes((*b"bytes").into()));
        }
        if protocol >= 4 {
            assert_eq!(values[27..29], [Value::Set(vec![int(7)]), Value::Set(vec![int(8)])]);
        }
        if protocol >= 5 {
            assert_eq!(values[29], Value::Bytes((*b"x").into()));
        }
    }
}

#[test]
fn only_str_is_unwrapped_and_no_other_class() {
    let text = b"cbuiltins\nstr\n(X\x02\x00\x00\x00hitR.";
    assert_eq!(decode(text), Ok(str("hi")));
    let Ok(Value::Object { class, args }) = decode(b"cos\nsystem\n(X\x02\x00\x00\x00hitR.") else {
        panic!("not opaque");
    };
    assert_eq!((&*class, &args[..]), ("os.system", &[str("hi")][..]));
    assert_eq!(decode(b"cos\nsystem\n."), Ok(Value::Class("os.system".into())));
    // `str` of bytes with an encoding is not evaluated, either.
    let two = decode(b"cbuiltins\nstr\n(C\x01aX\x05\x00\x00\x00ascii\x74R.");
    assert!(matches!(two, Ok(Value::Object { .. })));
    // State, and items that Python would append, are dropped.
    assert!(matches!(decode(b"cx\nY\n)\x81}X\x01\x00\x00\x00aK\x01sb."), Ok(Value::Object { .. })));
    assert!(matches!(decode(b"cx\nY\n)R(K\x01K\x02e."), Ok(Value::Object { .. })));
    assert!(matches!(decode(b"(K\x01ix\nY\n."), Ok(Value::Object { .. })));
    assert!(matches!(decode(b"(cx\nY\nK\x01o."), Ok(Value::Object { .. })));
}

#[test]
fn text_that_is_not_utf8_is_replaced() {
    assert_eq!(decode(b"\x8c\x03a\xffb."), Ok(str("a\u{fffd}b")));
    assert_eq!(decode(b"Va\\u00e9\\U0001f600\\x\\ud800\n."), Ok(str("aé\u{1f600}\\x\u{fffd}")));
}

#[test]
fn nonsense_is_an_error_of_the_right_kind() {
    for (bytes, error) in [
        (b"".as_slice(), PickleError::Truncated),
        (b"K", PickleError::Truncated),
        (b"X\xff\xff\xff\xffabc", PickleError::Truncated),
        (b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc", PickleError::Truncated),
        (b".", PickleError::Invalid),
        (b"K\x01K\x02.", PickleError::Invalid),
        (b"K\x01.x", PickleError::Invalid),
        (b"\x80\x06K\x01.", PickleError::Invalid),
        (b"K\x01(\x85.", PickleError::Invalid),
        (b"(.", PickleError::Invalid),
        (b"t.", PickleError::Invalid),
        (b"h\x00.", PickleError::Invalid),
        (b"]K\x01K\x02s.", PickleError::Invalid),
        (b"}(K\x01u.", PickleError::Invalid),
        (b"K\x01K\x02a.", PickleError::Invalid),
        (b"I1_0\n.", PickleError::Invalid),
        (b"Ix\n.", PickleError::Invalid),
        (b"I\n.", PickleError::Invalid),
        (b"Fx\n.", PickleError::Invalid),
        (b"S'a\n.", PickleError::Invalid),
        (b"V\\u12\n.", PickleError::Invalid),
        (b"K\x01)R.", PickleError::Invalid),
        (b"NNN\x93.", PickleError::Invalid),
        (b"P1\n.", PickleError::UnknownOperation(b'P')),
        (b"\x82\x01.", PickleError::UnknownOperation(0x82)),
        (b"\x97.", PickleError::UnknownOperation(0x97)),
        (b"\xff", PickleError::UnknownOperation(0xff)),
        (b"K\x01r\xff\xff\xff\xff.", PickleError::TooLarge),
    ] {
        assert_eq!(decode(bytes), Err(error), "{:?}", bytes.escape_ascii().to_string());
    }
}

#[test]
fn depth_is_limited_and_deep_values_are_dropped_safely() {
    let nested =
        |depth: usize| [b"]".repeat(depth), b"a".repeat(depth - 1), b".".to_vec()].concat();
    assert!(decode(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(decode(&nested(MAX_DEPTH + 1)), Err(PickleError::TooLarge));
    assert_eq!(decode(&nested(MAX_ITEMS)), Err(PickleError::TooLarge));
    // A list that contains itself has no end.
    assert_eq!(decode(b"]q\x00h\x00a."), Err(PickleError::TooLarge));
}

#[test]
fn a_small_pickle_cannot_unfold_into_a_large_tree() {
    // Forty lists, each of which holds the one before it ten times.
    let mut bomb = b"]q\x00".to_vec();
    for level in 0..40_u8 {
        bomb.extend_from_slice(b"](");
        for _ in 0..10 {
            bomb.extend_from_slice(&[b'h', level]);
        }
        bomb.extend_from_slice(&[b'e', b'q', level + 1]);
    }
    bomb.extend_from_slice(b"1.");
    bomb.insert(0, b'(');
    bomb.truncate(bomb.len() - 2);
    bomb.extend_from_slice(b"l.");
    assert_eq!(decode(&bomb), Err(PickleError::TooLarge));
}

#[test]
fn shared_values_are_not_copied() {
    // One text of a megabyte, named 200,000 times: 200 GB if each were a copy.
    let mut shared = b"(X\x00\x00\x10\x00".to_vec();
    shared.extend_from_slice(&vec![b'x'; 1 << 20]);
    shared.extend_from_slice(b"q\x00");
    shared.extend_from_slice(&b"h\x00".repeat(200_000));
    shared.extend_from_slice(b"l.");
    let Value::List(items) = decode(&shared).unwrap() else { panic!() };
    assert_eq!(items.len(), 200_001);
}

#[test]
fn the_largest_nonsense_ends_in_time() {
    let started = Instant::now();
    for filler in [b"(".as_slice(), b"]", b")", b"N", b"K\x01", b"K\x01\x94", b"N2", b"N0", b"}"] {
        let nonsense = filler.repeat(MAX_PICKLE_BYTES / filler.len());
        assert!(decode(&nonsense).is_err());
    }
    assert_eq!(decode(&vec![b'N'; MAX_PICKLE_BYTES + 1]), Err(PickleError::TooLarge));
    // A debug build of a busy machine; linear work takes some seconds, quadratic work takes days.
    assert!(started.elapsed() < Duration::from_secs(60));
}
