//! Handles as people see them.

use super::{Frame, FrameAllocator, FrameKind, FrameRef, FrameTable, Segment, UniqueFrame};
use core::fmt::{Debug, Formatter, Result};

impl<F: FrameAllocator, M: FrameKind> Debug for Frame<'_, F, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "Frame({} x{})", self.paddr(), self.reference_count())
    }
}

impl<F, M: FrameKind> Debug for FrameRef<'_, '_, F, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "FrameRef({})", self.paddr())
    }
}

impl<F: FrameAllocator, M: FrameKind> Debug for UniqueFrame<'_, F, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "UniqueFrame({})", self.paddr())
    }
}

impl<F: FrameAllocator, M: FrameKind> Debug for Segment<'_, F, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "Segment({} + {:#x})", self.paddr(), self.size())
    }
}

impl<F> Debug for FrameTable<'_, F> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(
            f,
            "FrameTable({:#x} + {:#x})",
            self.base,
            self.count as u64 * super::FRAME_SIZE
        )
    }
}
