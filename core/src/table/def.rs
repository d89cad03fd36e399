//! Definitions of tables and indexes as bytes, for the log and the cut.
//!
//! ```text
//! table: object u32 | name | schema u32 | key column u32, all ones if hidden | columns
//! column: name | type oid u32 | type modifier u32 | not null u8
//! index: object u32 | name | unique u8 | columns
//! index column: column u16 | type oid u32 | type modifier u32 | descending u8 | nulls first u8
//! ```
//! Names are bytes with a u32 length before them, lists have a u32 count before them.

use super::{ColumnDef, IndexColumn, IndexDef, RowKey, TableDef};
use crate::codec::fields::{FieldReader, FieldWriter};
use crate::codec::key::KeyColumn;
use crate::error::Result;
use crate::ids::ObjectId;
use crate::types::DataType;

const HIDDEN: u32 = u32::MAX;

fn write_type(out: &mut FieldWriter, ty: &DataType) {
    out.u32(ty.oid());
    out.u32(ty.typmod().cast_unsigned());
}

fn read_type(from: &mut FieldReader<'_>) -> Result<DataType> {
    let (oid, modifier) = (from.u32()?, from.u32()?.cast_signed());
    DataType::from_oid(oid, modifier).ok_or_else(|| from.damaged())
}

impl TableDef {
    /// The definition as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = FieldWriter::default();
        out.u32(self.object.0);
        out.counted(self.name.as_bytes());
        out.u32(self.schema);
        out.u32(match self.row_key {
            RowKey::Hidden => HIDDEN,
            RowKey::Column(column) => u32::from(column),
        });
        out.count(self.columns.len());
        for column in &self.columns {
            out.counted(column.name.as_bytes());
            write_type(&mut out, &column.ty);
            out.u8(u8::from(column.not_null));
        }
        out.bytes
    }

    /// Reads a definition.
    ///
    /// # Errors
    /// XX001 when the bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut from = FieldReader::new(bytes, "a table's definition");
        let object = ObjectId(from.u32()?);
        let name = from.text()?;
        let schema = from.u32()?;
        let key = from.u32()?;
        let count = from.count()?;
        let mut columns = Vec::with_capacity(count);
        for _ in 0..count {
            let name = from.text()?;
            columns.push(ColumnDef { name, ty: read_type(&mut from)?, not_null: from.u8()? != 0 });
        }
        let row_key = match key {
            HIDDEN => RowKey::Hidden,
            key => match u16::try_from(key) {
                Ok(column) if usize::from(column) < columns.len() => RowKey::Column(column),
                Ok(_) | Err(_) => return Err(from.damaged()),
            },
        };
        if !from.is_empty() {
            return Err(from.damaged());
        }
        Ok(Self { object, name, schema, columns, row_key })
    }
}

impl IndexDef {
    /// The definition as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = FieldWriter::default();
        out.u32(self.object.0);
        out.counted(self.name.as_bytes());
        out.u8(u8::from(self.unique));
        out.count(self.columns.len());
        for column in &self.columns {
            out.u16(column.column);
            write_type(&mut out, &column.key.ty);
            out.u8(u8::from(column.key.descending));
            out.u8(u8::from(column.key.nulls_first));
        }
        out.bytes
    }

    /// Reads the definition of an index of `table`.
    ///
    /// # Errors
    /// XX001 when the bytes are none.
    pub fn decode(bytes: &[u8], table: &TableDef) -> Result<Self> {
        let mut from = FieldReader::new(bytes, "an index's definition");
        let object = ObjectId(from.u32()?);
        let name = from.text()?;
        let unique = from.u8()? != 0;
        let count = from.count()?;
        let mut columns = Vec::with_capacity(count);
        for _ in 0..count {
            let column = from.u16()?;
            let ty = read_type(&mut from)?;
            let key = KeyColumn { ty, descending: from.u8()? != 0, nulls_first: from.u8()? != 0 };
            let physical = table.columns.get(usize::from(column)).map(|column| column.ty.physical());
            if physical != Some(key.ty.physical()) {
                return Err(from.damaged());
            }
            columns.push(IndexColumn { column, key });
        }
        if !from.is_empty() {
            return Err(from.damaged());
        }
        Ok(Self { object, name, unique, columns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_survive_a_round_trip_and_damage_is_told() {
        let column = |name: &str, ty| ColumnDef { name: name.to_owned(), ty, not_null: name == "id" };
        let table = TableDef {
            object: ObjectId(77),
            name: "accounts".to_owned(),
            schema: 3,
            columns: vec![
                column("id", DataType::BigInt),
                column("name", DataType::VarChar(Some(10))),
                column("amount", DataType::Numeric { precision: 15, scale: 2 }),
            ],
            row_key: RowKey::Column(0),
        };
        let bytes = table.encode();
        assert_eq!(TableDef::decode(&bytes).unwrap(), table);
        let key = KeyColumn::descending(DataType::VarChar(Some(10)));
        let index = IndexDef {
            object: ObjectId(78),
            name: "by_name".to_owned(),
            unique: true,
            columns: vec![IndexColumn { column: 1, key }],
        };
        let index_bytes = index.encode();
        assert_eq!(IndexDef::decode(&index_bytes, &table).unwrap(), index);
        for cut in 0..bytes.len() {
            assert!(TableDef::decode(&bytes[..cut]).is_err());
        }
        for cut in 0..index_bytes.len() {
            assert!(IndexDef::decode(&index_bytes[..cut], &table).is_err());
        }
    }
}
