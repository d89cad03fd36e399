//! What a statement can ask of its session: names, settings, sequences, random identifiers, types.

use super::{BIGINT, BOOLEAN, TEXT, function};
use crate::error::{Result, StatementError};
use crate::expr::eval::{Call, binary, ternary, unary};
use crate::expr::function::{Function, Operand};
use crate::expr::{EvalContext, SessionNames};
use crate::types::DataType;

const STRING: DataType = DataType::Text;

pub(super) const FUNCTIONS: &[Function] = &[
    function("version", &[], STRING, |call| name(call, |names| Some(names.version))).stable(),
    function("current_user", &[], STRING, |call| name(call, |names| Some(names.user))).stable(),
    function("current_role", &[], STRING, |call| name(call, |names| Some(names.user))).stable(),
    function("user", &[], STRING, |call| name(call, |names| Some(names.user))).stable(),
    function("session_user", &[], STRING, |call| name(call, |names| Some(names.session_user))).stable(),
    function("current_database", &[], STRING, |call| name(call, |names| Some(names.database))).stable(),
    function("current_catalog", &[], STRING, |call| name(call, |names| Some(names.database))).stable(),
    function("current_schema", &[], STRING, |call| name(call, |names| names.schema)).stable().nullable(),
    function("current_setting", &[TEXT], STRING, |call| {
        let environment = call.context.environment;
        unary(call, |name: &str| {
            environment
                .setting(name)
                .ok_or_else(|| StatementError::UnknownSetting { name: name.into() }.into())
        })
    })
    .stable(),
    function("current_setting", &[TEXT, BOOLEAN], STRING, |call| {
        let environment = call.context.environment;
        binary(call, |name: &str, missing_ok: bool| match environment.setting(name) {
            None if !missing_ok => Err(StatementError::UnknownSetting { name: name.into() }.into()),
            value => Ok(value),
        })
    })
    .stable()
    .nullable(),
    function("pg_typeof", &[Operand::Any], STRING, |call| {
        let ty = call.types[0].name();
        call.write(|_| Ok(ty))
    })
    .sees_nulls(),
    function("gen_random_uuid", &[], DataType::Uuid, |call| {
        let context = call.context;
        call.write(|_| Ok(random_uuid(context)))
    })
    .volatile(),
    function("nextval", &[TEXT], DataType::BigInt, |call| {
        let environment = call.context.environment;
        unary(call, |sequence: &str| environment.next_value(sequence))
    })
    .volatile(),
    function("currval", &[TEXT], DataType::BigInt, |call| {
        let environment = call.context.environment;
        unary(call, |sequence: &str| environment.current_value(sequence))
    })
    .volatile(),
    function("setval", &[TEXT, BIGINT], DataType::BigInt, |call| {
        let environment = call.context.environment;
        binary(call, |sequence: &str, value: i64| {
            environment.set_value(sequence, value, true)?;
            Ok(value)
        })
    })
    .volatile(),
    function("setval", &[TEXT, BIGINT, BOOLEAN], DataType::BigInt, |call| {
        let environment = call.context.environment;
        ternary(call, |sequence: &str, value: i64, called: bool| {
            environment.set_value(sequence, value, called)?;
            Ok(value)
        })
    })
    .volatile(),
];

fn name(call: &mut Call<'_>, choose: impl for<'a> Fn(&SessionNames<'a>) -> Option<&'a str>) -> Result<()> {
    let name = choose(&call.context.names).map(str::to_owned);
    call.write(|_| Ok(name.as_deref()))
}

/// Version 4 of RFC 9562: random but for six bits.
fn random_uuid(context: &EvalContext<'_>) -> [u8; 16] {
    let (high, low) = (context.environment.random(), context.environment.random());
    let bits = u128::from(high) << 64 | u128::from(low);
    let version = (bits & !(0xf << 76)) | 0x4 << 76;
    ((version & !(0x3 << 62)) | 0x2 << 62).to_be_bytes()
}
