//! Windows of window functions.

use super::Converter;
use crate::{
    error::Result,
    parser::ast::{FrameBound, FrameUnits, NamedWindow, WindowDefinition, WindowFrame},
};
use sqlparser::ast as sql;

impl Converter<'_> {
    /// What follows OVER.
    pub(super) fn over(&mut self, over: sql::WindowType) -> Result<WindowDefinition> {
        match over {
            sql::WindowType::NamedWindow(name) => {
                let base = self.column_id(&name)?;
                let position = base.position;
                let (partition_by, order_by) = (Vec::new(), Vec::new());
                Ok(WindowDefinition { base: Some(base), partition_by, order_by, frame: None, position })
            }
            sql::WindowType::WindowSpec(spec) => self.window(spec),
        }
    }

    /// `WINDOW name AS (..)`
    pub(super) fn named_windows(
        &mut self,
        windows: Vec<sql::NamedWindowDefinition>,
    ) -> Result<Vec<NamedWindow>> {
        let mut made = Vec::with_capacity(windows.len());
        for sql::NamedWindowDefinition(name, definition) in windows {
            let name = self.column_id(&name)?;
            let definition = match definition {
                sql::NamedWindowExpr::WindowSpec(spec) => self.window(spec)?,
                sql::NamedWindowExpr::NamedWindow(_) => return Err(self.foreign()),
            };
            made.push(NamedWindow { name, definition });
        }
        Ok(made)
    }

    fn window(&mut self, spec: sql::WindowSpec) -> Result<WindowDefinition> {
        let position = self.seek_punctuation('(');
        let base = spec.window_name.map(|name| self.column_id(&name)).transpose()?;
        let partition_by = self.exprs(spec.partition_by)?;
        let order_by = self.sort_items(spec.order_by)?;
        let frame = spec.window_frame.map(|frame| self.frame(frame)).transpose()?;
        self.seek_punctuation(')');
        Ok(WindowDefinition { base, partition_by, order_by, frame, position })
    }

    fn frame(&mut self, frame: sql::WindowFrame) -> Result<WindowFrame> {
        let units = match frame.units {
            sql::WindowFrameUnits::Rows => FrameUnits::Rows,
            sql::WindowFrameUnits::Range => FrameUnits::Range,
            sql::WindowFrameUnits::Groups => FrameUnits::Groups,
        };
        self.seek(&["rows", "range", "groups"]);
        let start = self.bound(frame.start_bound)?;
        let end = match frame.end_bound {
            Some(bound) => self.bound(bound)?,
            None => FrameBound::CurrentRow,
        };
        Ok(WindowFrame { units, start, end })
    }

    fn bound(&mut self, bound: sql::WindowFrameBound) -> Result<FrameBound> {
        let bound = match bound {
            sql::WindowFrameBound::CurrentRow => FrameBound::CurrentRow,
            sql::WindowFrameBound::Preceding(None) => FrameBound::UnboundedPreceding,
            sql::WindowFrameBound::Following(None) => FrameBound::UnboundedFollowing,
            sql::WindowFrameBound::Preceding(Some(rows)) => FrameBound::Preceding(self.boxed(*rows)?),
            sql::WindowFrameBound::Following(Some(rows)) => FrameBound::Following(self.boxed(*rows)?),
        };
        self.seek(&["preceding", "following", "row"]);
        Ok(bound)
    }
}
