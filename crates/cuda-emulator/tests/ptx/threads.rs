//! What threads do together: barriers, shuffles, votes, atomics.

use crate::{Arguments, STORE, kernel, run};

const WORDS: &str = ".reg .b32 %value, %a, %b, %c; .reg .pred %p, %q;\n";

fn on_lanes(body: &str) -> Vec<u32> {
    run(&format!("{WORDS}{body}\n{STORE}"), 32, &[]).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn shuffles_read_other_lanes() {
    let shuffle = |mode: &str, b: u32, c: u32| {
        on_lanes(&format!("mul.lo.u32 %a, %thread, 10; shfl.sync.{mode}.b32 %value, %a, {b}, {c}, -1;"))
    };
    let lanes = |f: &dyn Fn(u32) -> u32| (0..32).map(|lane| 10 * f(lane)).collect::<Vec<_>>();
    assert_eq!(shuffle("down", 3, 31), lanes(&|lane| if lane + 3 < 32 { lane + 3 } else { lane }));
    assert_eq!(shuffle("up", 5, 0), lanes(&|lane| if lane >= 5 { lane - 5 } else { lane }));
    assert_eq!(shuffle("bfly", 17, 31), lanes(&|lane| lane ^ 17));
    assert_eq!(shuffle("idx", 9, 31), lanes(&|_| 9));
    // segments of eight lanes
    let eight = (24 << 8) | 31;
    assert_eq!(shuffle("idx", 2, eight), lanes(&|lane| (lane & 24) + 2));
    assert_eq!(shuffle("down", 3, eight), lanes(&|lane| if lane % 8 < 5 { lane + 3 } else { lane }));
    assert_eq!(shuffle("up", 3, 24 << 8), lanes(&|lane| if lane % 8 >= 3 { lane - 3 } else { lane }));
    let inside = on_lanes("shfl.sync.down.b32 %a|%p, %thread, 30, 31, -1; selp.u32 %value, 1, 0, %p;");
    assert_eq!(inside, (0..32).map(|lane| u32::from(lane < 2)).collect::<Vec<_>>());
}

#[test]
fn votes_matches_and_reductions() {
    let odd = "and.b32 %a, %thread, 1; setp.eq.u32 %p, %a, 1;\n";
    assert_eq!(on_lanes(&format!("{odd} vote.sync.ballot.b32 %value, %p, -1;")), [0xaaaa_aaaa; 32]);
    assert_eq!(
        on_lanes(&format!("{odd} vote.sync.any.pred %q, !%p, -1; selp.u32 %value, 1, 0, %q;")),
        [1; 32]
    );
    assert_eq!(
        on_lanes(&format!("{odd} vote.sync.all.pred %q, %p, -1; selp.u32 %value, 1, 0, %q;")),
        [0; 32]
    );
    let matches = on_lanes("and.b32 %a, %thread, 3; match.any.sync.b32 %value, %a, -1;");
    assert_eq!(matches, (0..32).map(|lane| 0x1111_1111 << (lane & 3)).collect::<Vec<u32>>());
    assert_eq!(on_lanes("redux.sync.add.s32 %value, %thread, -1;"), [496; 32]);
    assert_eq!(on_lanes("redux.sync.max.u32 %value, %thread, -1;"), [31; 32]);
}

#[test]
fn divergent_lanes_meet_again() {
    // even lanes take a long way; activemask sees one side at a time, the shuffle both
    let body = "and.b32 %a, %thread, 1; setp.eq.u32 %p, %a, 1; mov.u32 %b, 0;
        @%p bra ODD;
        mov.u32 %c, 0;
        LOOP: add.u32 %b, %b, 2; add.u32 %c, %c, 1; setp.lt.u32 %q, %c, %thread; @%q bra LOOP;
        activemask.b32 %c;
        bra JOIN;
        ODD: activemask.b32 %c; mov.u32 %b, 7;
        JOIN: shfl.sync.bfly.b32 %value, %b, 1, 31, -1;";
    let expected: Vec<u32> =
        (0..32).map(|lane| if lane % 2 == 0 { 7 } else { 2 * (lane - 1).max(1) }).collect();
    assert_eq!(on_lanes(body), expected);
    let masks = on_lanes(&format!("{body} mov.u32 %value, %c;"));
    assert_eq!(masks, (0..32).map(|lane| 0x5555_5555 << (lane % 2)).collect::<Vec<u32>>());
    // two halves of a warp, each for itself
    let halves = "setp.lt.u32 %p, %thread, 16; mov.u32 %a, 0xffff0000; @%p mov.u32 %a, 0xffff;
        @%p bra LOW; redux.sync.add.u32 %value, %thread, %a; bra END;
        LOW: redux.sync.min.u32 %value, %thread, %a; END:";
    let expected: Vec<u32> = (0..32).map(|lane| if lane < 16 { 0 } else { 376 }).collect();
    assert_eq!(on_lanes(halves), expected);
}

#[test]
fn lanes_may_meet_at_different_places() {
    let body = "setp.lt.u32 %p, %thread, 16; @%p bra LOW;
        shfl.sync.bfly.b32 %value, %thread, 16, 31, -1; bra END;
        LOW: add.u32 %a, %thread, 100; shfl.sync.bfly.b32 %value, %a, 16, 31, -1; END:";
    let expected: Vec<u32> =
        (0..32).map(|lane| if lane < 16 { lane + 16 } else { lane - 16 + 100 }).collect();
    assert_eq!(on_lanes(body), expected);
}

#[test]
fn names_of_inline_assembly_are_its_own() {
    let body = "mov.u32 %value, 1;
        {.reg.b32 %value; mov.u32 %value, 2; mov.u32 %a, %value; bra END; END: }
        {.reg.b32 again, %value; mov.u32 again, %a; add.u32 %a, again, again; bra END; mov.u32 %a, 0; END: }
        add.u32 %value, %value, %a;";
    assert_eq!(on_lanes(body), [5; 32]);
}

#[test]
fn barriers_order_shared_memory() {
    // every thread reads what the thread opposite wrote, over several rounds
    let body = ".reg .b32 %value, %a, %at, %from; .reg .pred %p; .shared .align 4 .b32 cells[100];
        mov.u32 %at, cells; mad.lo.u32 %at, %thread, 4, %at; sub.u32 %from, 99, %thread;
        mov.u32 %a, cells; mad.lo.u32 %from, %from, 4, %a; mov.u32 %value, %thread; mov.u32 %a, 0;
        AGAIN: st.shared.u32 [%at], %value; bar.sync 0; ld.shared.u32 %value, [%from]; add.u32 %value, %value, 1;
        barrier.sync 1; add.u32 %a, %a, 1; setp.lt.u32 %p, %a, 5; @%p bra AGAIN;";
    let out = run(&format!("{body}\n{STORE}"), 100, &[]).expect("no fault");
    assert_eq!(out, (0..100).map(|thread| 99 - thread + 5).collect::<Vec<_>>());
    // whoever has exited is not waited for
    let early = ".reg .b32 %value; .reg .pred %p; setp.gt.u32 %p, %thread, 40; @%p exit; bar.sync 0; mov.u32 %value, 3;";
    let out = run(&format!("{early}\n{STORE}"), 64, &[]).expect("no fault");
    assert_eq!(out.iter().sum::<u32>(), 41 * 3);
    // a barrier of the first two of three warps, and one that counts
    let part = ".reg .b32 %value; .reg .pred %p; mov.u32 %value, 1; setp.ge.u32 %p, %thread, 64; @%p bra END;
        bar.sync 3, 64; END: setp.lt.u32 %p, %thread, 10; bar.red.popc.u32 %value, 0, %p;";
    assert_eq!(run(&format!("{part}\n{STORE}"), 96, &[]).expect("no fault"), [10; 96]);
}

#[test]
fn atomics_of_all_blocks_count() {
    let body = ".reg .b32 %r; .reg .b64 %d; .reg .b16 %h;
        atom.global.add.u32 %r, [%out], 1;
        red.global.add.f32 [%out+4], 0f3F000000;
        atom.global.add.f64 %d, [%out+8], 0d3FD0000000000000;
        mov.b16 %h, 0x3C00; atom.global.add.noftz.f16 %h, [%out+16], %h;
        mov.b16 %h, 0x3F80; atom.add.noftz.bf16 %h, [%out+18], %h;
        atom.global.max.s32 %r, [%out+20], %thread;
        atom.global.inc.u32 %r, [%out+24], 6;
        atom.global.cas.b32 %r, [%out+28], 5, 77;
        and.b32 %r, %thread, 31; shl.b32 %r, 1, %r; red.global.or.b32 [%out+32], %r;
        atom.global.min.s64 %d, [%out+40], -7;
        atom.global.exch.b64 %d, [%out+48], 9;";
    let mut out = [0u32; 14];
    out[7] = 5;
    Arguments::default()
        .output(&mut out)
        .word(0)
        .word(0)
        .launch(&kernel(body), "k", 20, 100)
        .expect("no fault");
    assert_eq!(out[0], 2000);
    assert_eq!(f32::from_bits(out[1]), 1000.0);
    assert_eq!(f64::from_bits(u64::from(out[2]) | u64::from(out[3]) << 32), 500.0);
    // in 16 bits the sum of ones ends where a one is less than half a step
    let (f16, bf16) = (half::f16::from_bits(out[4] as u16), half::bf16::from_bits((out[4] >> 16) as u16));
    assert_eq!((f16.to_f32(), bf16.to_f32()), (2000.0, 256.0));
    assert_eq!((out[5], out[6], out[7], out[8]), (99, 2000 % 7, 77, u32::MAX));
    assert_eq!((out[10] as i32, out[11] as i32, out[12]), (-7, -1, 9));
}

#[test]
fn indices_count_over_three_axes() {
    let body = ".reg .b32 %n, %m, %z; .reg .b64 %at;
        mov.u32 %n, %ctaid.z; mov.u32 %m, %nctaid.y; mov.u32 %z, %ctaid.y; mad.lo.u32 %n, %n, %m, %z;
        mov.u32 %m, %nctaid.x; mov.u32 %z, %ctaid.x; mad.lo.u32 %n, %n, %m, %z;
        mov.u32 %m, %ntid.z; mov.u32 %z, %tid.z; mad.lo.u32 %n, %n, %m, %z;
        mov.u32 %m, %ntid.y; mov.u32 %z, %tid.y; mad.lo.u32 %n, %n, %m, %z;
        mov.u32 %m, %ntid.x; mad.lo.u32 %n, %n, %m, %thread;
        mad.wide.u32 %at, %n, 4, %out; mov.u32 %m, %laneid; add.u32 %n, %n, %m; st.global.u32 [%at], %n;";
    let (grid, block) = ([3, 2, 4], [5, 3, 2]);
    let mut out = vec![0u32; 24 * 30];
    let arguments = Arguments::default().output(&mut out).word(0).word(0);
    kernel(body).entry("k").expect("the kernel").launch(grid, block, 0, arguments.bytes()).expect("no fault");
    assert_eq!(out, (0..24 * 30).map(|n| n + n % 30).collect::<Vec<_>>());
}

#[test]
fn vectors_and_generic_addresses() {
    let body = ".reg .b32 %a, %b, %c, %value; .reg .b64 %g; .shared .align 16 .b8 box[16];
        ld.global.v4.u32 {%a, %b, %c, _}, [%in]; st.shared.v4.b32 [box], {%c, %b, %a, %a};
        mov.u64 %g, box; cvta.shared.u64 %g, %g; ld.u32 %value, [%g];
        ld.global.v2.u16 {%a, %b}, [%in+12]; add.u32 %value, %value, %a; st.u32 [%g+4], %b; ld.shared.u32 %c, [box+4];
        add.u32 %value, %value, %c; ld.global.s8 %a, [%in+16]; add.u32 %value, %value, %a;";
    #[repr(align(16))]
    struct Aligned([u32; 8]);
    let input = Aligned([1, 2, 30, (400 << 16) | 5000, 0xff, 0, 0, 0]);
    assert_eq!(run(&format!("{body}\n{STORE}"), 1, &input.0).expect("no fault"), [30 + 5000 + 400 - 1]);
}
