//! What goes wrong is an error that says where.

use crate::{Arguments, STORE, kernel, run};
use cuda_emulator::ptx::{Error, FaultKind, MEMORY_CHECK, Module};
use std::sync::Mutex;

/// bytes that no kernel may touch
static FORBIDDEN: Mutex<(u64, u64)> = Mutex::new((0, 0));

fn check(address: u64, len: usize) -> bool {
    let (start, end) = *FORBIDDEN.lock().expect("no test panics with it");
    address >= 4096 && (address >= end || address + len as u64 <= start)
}

fn fault(result: Result<Vec<u32>, Error>) -> (FaultKind, [u32; 3], String) {
    match result {
        Err(Error::Fault { kind, thread, message, .. }) => (kind, thread, message),
        other => panic!("no fault but {other:?}"),
    }
}

#[test]
fn an_access_outside_all_memory_is_named() {
    MEMORY_CHECK.get_or_init(|| check);
    let mut watched = vec![0u32; 40];
    let module = kernel(".reg .b64 %at; mad.wide.u32 %at, %thread, 4, %out; st.global.u32 [%at], %thread;");
    let arguments = Arguments::default().output(&mut watched).word(0).word(0);
    let start = watched.as_ptr() as u64;
    *FORBIDDEN.lock().expect("a lock") = (start + 4 * 32, start + 4 * 40);
    let inside = arguments.launch(&module, "k", 1, 32);
    let outside = arguments.launch(&module, "k", 2, 33);
    let null = Arguments::default().word(0).word(0).word(0).word(0).launch(&module, "k", 1, 1);
    *FORBIDDEN.lock().expect("a lock") = (0, 0);
    inside.expect("no fault");
    let text = outside.expect_err("a fault").to_string();
    assert!(text.starts_with("k, block (0, 0, 0), thread (32, 0, 0), PTX line "), "{text}");
    assert!(text.contains("4 bytes at 0x") && text.contains("st.global.u32 [%at], %thread"), "{text}");
    assert!(matches!(null, Err(Error::Fault { kind: FaultKind::IllegalAddress, .. })), "{null:?}");
    assert_eq!(watched[32], 0);
}

#[test]
fn misaligned_and_out_of_range() {
    let words = [0u32; 8];
    let body = ".reg .b32 %value; .reg .pred %p; setp.lt.u32 %p, %thread, 5; @%p bra END; ld.global.u32 %value, [%in+2]; END:";
    let (kind, thread, _) = fault(run(body, 32, &words));
    assert_eq!((kind, thread), (FaultKind::MisalignedAddress, [5, 0, 0]));
    let shared = ".shared .align 4 .b8 box[64]; .reg .b32 %at; mov.u32 %at, box; mad.lo.u32 %at, %thread, 4, %at; st.shared.u32 [%at], 1;";
    let (kind, thread, message) = fault(run(shared, 20, &words));
    assert_eq!((kind, thread), (FaultKind::IllegalAddress, [16, 0, 0]));
    assert_eq!(message, "4 bytes at 64 lie outside the 64 bytes of shared memory");
    let local = ".local .align 4 .b8 own[16]; .reg .b64 %at; .reg .b32 %value; mov.u64 %at, own; mad.wide.u32 %at, %thread, 4, %at;
        cvta.local.u64 %at, %at; ld.u32 %value, [%at];";
    assert_eq!(fault(run(local, 8, &words)).1, [4, 0, 0]);
}

#[test]
fn deadlocks_end() {
    // one half waits at a barrier, the other for its warp
    let body =
        ".reg .b32 %value; .reg .pred %p; setp.lt.u32 %p, %thread, 16; @%p bra LOW; bar.sync 0; bra END;
        LOW: bar.warp.sync -1; END:";
    let (kind, _, message) = fault(run(body, 32, &[]));
    assert_eq!(kind, FaultKind::Deadlock);
    assert!(message.contains("32 of 32 threads wait"), "{message}");
    let different = ".reg .pred %p; setp.lt.u32 %p, %thread, 32; @%p bar.sync 1; @!%p bar.sync 2, 96;";
    assert_eq!(fault(run(different, 64, &[])).0, FaultKind::Deadlock);
    let stranger = ".reg .b32 %value; shfl.sync.idx.b32 %value, %thread, 0, 31, 1;";
    assert_eq!(fault(run(stranger, 2, &[])).1, [1, 0, 0]);
}

#[test]
fn traps_and_assertions() {
    let third = ".reg .pred %p; setp.ne.u32 %p, %thread, 3; @%p bra END; trap; END:";
    let (kind, thread, _) = fault(run(third, 8, &[]));
    assert_eq!((kind, thread), (FaultKind::Trap, [3, 0, 0]));
    let text = ".version 9.0\n.target sm_90\n.address_size 64\n
        .extern .func (.param .b32 r) vprintf(.param .b64 a, .param .b64 b);
        .extern .func __assertfail(.param .b64 a, .param .b64 b, .param .b32 c, .param .b64 d, .param .b64 e);
        .visible .entry prints() { .param .b64 p0; .param .b64 p1; .param .b32 r0; call.uni (r0), vprintf, (p0, p1); ret; }
        .visible .entry asserts() { .param .b64 p0; .param .b32 p1; call.uni __assertfail, (p0, p0, p1, p0, p0); ret; }";
    let module = Module::parse(text).expect("a module");
    let launch = |name| Arguments::default().launch(&module, name, 1, 1);
    launch("prints").expect("nothing happens");
    assert!(matches!(launch("asserts"), Err(Error::Fault { kind: FaultKind::Assert, .. })));
}

#[test]
fn an_unknown_instruction_fails_its_kernel_alone() {
    let text = ".version 9.0\n.target sm_90\n.address_size 64\n
        .visible .entry good() { ret; }
        .visible .entry bad() { .reg .b32 %r<9>;
          wgmma.fence.sync.aligned;
          ret; }";
    let module = Module::parse(text).expect("a module");
    let launch = |name| Arguments::default().launch(&module, name, 1, 1);
    launch("good").expect("nothing happens");
    let text = launch("bad").expect_err("an error").to_string();
    assert_eq!(
        text,
        "PTX line 7 in bad: unknown instruction `wgmma.fence.sync.aligned`: `wgmma.fence.sync.aligned;`"
    );
}

#[test]
fn text_that_is_no_ptx() {
    for text in [
        "",
        "hello",
        ".version 9.0\nfoo",
        ".version 9.0\n.visible .entry k() {",
        ".version 9.0\n.global .b33 x;",
    ] {
        assert!(matches!(Module::parse(text), Err(Error::Parse { .. })), "{text}");
    }
    let unknown = format!(".reg .b32 %value; mov.u32 %value, %nothing;\n{STORE}");
    assert!(matches!(run(&unknown, 1, &[]), Err(Error::Unsupported { .. })));
}
