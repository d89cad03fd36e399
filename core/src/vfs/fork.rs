//! Whether the process has forked: asked by every statement, so that it must cost less than a system call.

use memmap2::MmapMut;
use std::sync::OnceLock;

/// A page that the kernel wipes in the child of a fork; `None` where it cannot.
static MARK: OnceLock<Option<MmapMut>> = OnceLock::new();

const SET: u8 = 1;

fn make() -> Option<MmapMut> {
    let mut page = MmapMut::map_anon(1).ok()?;
    wipe_on_fork(&mut page)?;
    page[0] = SET;
    Some(page)
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "a system call that memmap2 has no name for")]
fn wipe_on_fork(page: &mut MmapMut) -> Option<()> {
    let (start, len) = (page.as_mut_ptr().cast(), page.len());
    // SAFETY: the range is that of the mapping, which lives as long as `page`; this process keeps its content.
    unsafe { rustix::mm::madvise(start, len, rustix::mm::Advice::LinuxWipeOnFork) }.ok()
}

#[cfg(not(target_os = "linux"))]
fn wipe_on_fork(_: &mut MmapMut) -> Option<()> {
    None
}

/// The process by its number, at the moment.
pub fn process() -> u32 {
    MARK.get_or_init(make);
    std::process::id()
}

/// Whether this is not the process that [`process`] told the number of.
pub fn is_other_process(number: u32) -> bool {
    // With the mark there was no fork since the first call of `process`, and so there is only one process.
    let unforked = MARK.get().and_then(Option::as_ref).is_some_and(|page| page[0] == SET);
    !unforked && std::process::id() != number
}
