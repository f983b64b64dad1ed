"""From a disassembly and a trace to cycles: hand-written lines, and prices that can be added up by hand."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from octavo.device.cost import block_cycles, costs, total
from octavo.device.kinds import KINDS, kind_of
from octavo.device.listing import parse_listing
from octavo.device.trace import Block, parse_trace
from octavo.errors import OctavoError
from octavo.targets import Cycles, available_targets, load_target

ARM = {
    "alu": "adds add.w sub movs mov.w bic.w bfi ubfx lsls asr.w cmp tst.w ite sxtb16 ssat nop uxtb pkhbt vmrs dls rsb",
    "load": "ldr ldr.w ldrb ldrsb.w ldrh ldrsh.w ldrbne.w ldrexb ldrne",
    "store": "str str.w strb.w strh strbne.w strexh",
    "multiple": "ldrd strd push pop ldmia.w stmdb ldm vldr vpush vstmia",
    "multiply": "muls mul.w mulne",
    "multiply_accumulate": "mla mls mlaeq",
    "multiply_long": "smull umull smlal umlal umaal",
    "multiply_simd": "smlad smladx smuad smlabb smulbt smlalbb smlald smmla smmlar smmul smlsd smusd smulwb smlawt",
    "divide": "sdiv udiv",
    "branch": "beq.n bne.w bls.n ble.n blt.n cbz cbnz wls bcs.n bhs",
    "jump": "b b.n b.w bl blx bx bxns tbb tbh",
    "loop_end": "le letp",
    "floating": "vadd.f32 vmul.f32 vcvt.s32.f32 vdiv.f32",
}
VECTOR = {
    "vector_load": "vldrb.u8 vldrw.u32 vld20.8",
    "vector_store": "vstrb.8 vst20.8",
    "vector_multiply": "vmul.i32 vmla.s8 vmlava.s8 vmladav.s16 vqrdmulh.s32 vmull.s8 vqdmulh.s16 vrmulh.s8",
    "vector": "vadd.i32 vmov.i32 vdup.32 vmin.s32 vrshl.s32 vmovlb.s8 vand vshr.s32 vqmovnb.s32",
}
RISCV = {
    "alu": "add addi mv li lui auipc sll srai seqz neg not csrr sltu",
    "load": "lw lb lbu lh lhu",
    "store": "sw sb sh",
    "multiply": "mul",
    "multiply_long": "mulh mulhu mulhsu",
    "divide": "div divu rem remu",
    "branch": "beq bne blt bge bltu bgeu beqz bnez blez bgez bltz bgtz ble bgtu",
    "jump": "j jal jr jalr ret call tail",
}


@pytest.mark.parametrize(
    "architecture, operands, words",
    [("cortex-m", "r0, [r1]", ARM), ("cortex-m", "q0, q1, q2", VECTOR), ("riscv32", "a0,a1,a2", RISCV)],
)
def test_kinds(architecture: str, operands: str, words: Mapping[str, str]) -> None:
    found = {word: kind_of(architecture, word, operands) for row in words.values() for word in row.split()}
    assert found == {word: kind for kind, row in words.items() for word in row.split()}
    assert set(words) <= set(KINDS)


LISTING = """
model.elf:     file format elf32-littlearm

Disassembly of section .text:

00000040 <model_run>:
      40:\tstmdb\tsp!, {r4, r5, r6, lr}
      44:\tldr\tr0, [pc, #312]\t@ (180 <model_run+0x140>)
      46:\tldrb.w\tr3, [r0, #2]
      4a:\tldrd\tr4, r5, [r1], #8
      4e:\tvpush\t{d8-d11}
      52:\tbne.n\t46 <model_run+0x6>
      54:\tpop\t{r4, pc}
      56:\t.word\t0xff80ff80
      5a:\tcmp\tr2, #3
      5c:\tstr\tr2, [r3, r4]

00004dcc <octavo_mark>:
    4dcc:\tbx\tlr
"""


def test_a_listing_of_arm() -> None:
    program = parse_listing("cortex-m", LISTING)
    assert program.functions == {"model_run": 0x40, "octavo_mark": 0x4DCC}
    push, load, byte, pair, vectors, branch, pop = program.block(0x40, 7)
    assert (push.kind, push.words, push.writes) == ("multiple", 4, frozenset())
    assert (load.kind, load.writes) == ("load", {"r0"}) and byte.address_from == {"r0"}
    assert (pair.words, pair.writes, pair.address_from) == (2, {"r4", "r5"}, {"r1"})
    assert (vectors.words, branch.kind, pop.words, pop.writes) == (8, "branch", 2, {"r4", "pc"})
    compare, store = program.block(0x5A, 2)
    assert compare.writes == frozenset() and compare.reads == {"r2"}
    assert store.kind == "store" and store.writes == frozenset() and store.reads == {"r2", "r3", "r4"}
    with pytest.raises(OctavoError, match="no 2 instructions at 0x56"):
        program.block(0x56, 2)
    with pytest.raises(OctavoError, match="no function main"):
        program.function("main")


def test_a_listing_of_riscv() -> None:
    text = (
        "80000020 <f>:\n80000020:\tlw\ta5,8(a4)\n80000024:\tadd\ta5,a5,a1 # 80000000 <g>\n"
        "80000028:\tsw\ta5,4(sp)\n8000002a:\tbnez\ta3,80000020 <f>\n8000002c:\tret\n"
    )
    load, add, store, branch, leave = parse_listing("riscv32", text).block(0x80000020, 5)
    assert (load.kind, load.writes, load.address_from) == ("load", {"a5"}, {"a4"})
    assert (add.writes, add.reads) == ({"a5"}, {"a5", "a1"})
    assert (store.kind, store.writes, store.reads) == ("store", frozenset(), {"a5", "sp"})
    assert (branch.kind, branch.writes, leave.kind) == ("branch", frozenset(), "jump")


def priced(architecture: str, code: str, table: Cycles, times: int = 1, taken: int = 0) -> float:
    """Cycles of a block, written as its instructions divided by semicolons."""
    lines = (line.strip().replace(" ", "\t", 1) for line in code.split(";"))
    program = parse_listing(architecture, "\n".join(f"  {4 * i:x}:\t{line}" for i, line in enumerate(lines)))
    return block_cycles(Block(program.instructions, times, taken), table)


@pytest.mark.parametrize(
    "code, cycles",
    [
        ("adds r0, #1", 1),
        ("ldr r0, [r1]; adds r2, #1", 2 + 1),
        ("ldr r0, [r1]; ldr r2, [r3]; ldr r4, [r5]", 2 + 1 + 1),
        ("ldr r0, [r1]; ldr r2, [r0]", 2 + 2),  # the address is still under way
        ("ldr r0, [r1]; str r0, [r2]", 2 + 1),
        ("add.w r0, r1, r2; ldr r3, [r0, #4]", 1 + 2 + 1),  # address from the arithmetic right before
        ("add.w r0, r1, r2; str r0, [r4]", 1 + 1),  # its value may come as late
        ("ldrd r0, r1, [r2], #8; smlad r3, r0, r1, r3", 3 + 1),
        ("push {r4, r5, lr}", 1 + 3),
        ("smull r0, r1, r2, r3; mla r0, r1, r2, r3; mul.w r0, r1, r2; sdiv r0, r1, r2", 1 + 1 + 1 + 7),
        ("bl 1234 <f>", 3),
    ],
)
def test_prices_of_a_cortex_m4(code: str, cycles: float) -> None:
    table = load_target("cortex-m4").cycles
    assert table is not None and priced("cortex-m", code, table) == cycles


def test_branches_cost_what_was_taken() -> None:
    table = load_target("cortex-m4").cycles
    assert table is not None
    assert priced("cortex-m", "subs r0, #1; bne.n 0 <f>", table, times=10, taken=9) == 10 + 9 * 3 + 1
    assert priced("cortex-m", "pop {r4, pc}", table, times=2, taken=2) == 2 * (1 + 2 + 2)
    ibex = load_target("rv32imc").cycles
    assert ibex is not None
    assert priced("riscv32", "lw a0,0(a1); add a2,a2,a0; bnez a2,0 <f>", ibex, 4, 3) == 4 * (1 + 1 + 1) + 3 * 3 + 1
    assert priced("riscv32", "lw a0,0(a1); addi a2,a2,1; ret", ibex) == 1 + 1 + 2


def test_vectors_overlap_with_those_of_other_units() -> None:
    table = load_target("cortex-m55").cycles
    assert table is not None
    assert priced("cortex-m", "vldrb.u8 q0, [r0]; vldrb.u8 q1, [r1]", table) == 2 + 2
    assert priced("cortex-m", "vldrb.u8 q0, [r0]; vmlava.s8 r2, q0, q1; vldrb.u8 q0, [r0]", table) == 2 + 1 + 1
    assert priced("cortex-m", "vmul.i32 q0, q1, q2; le lr, 0 <f>", table, times=8, taken=7) == 8 * 2


def test_two_at_a_time_where_nothing_forbids_it() -> None:
    table = load_target("cortex-m7").cycles
    assert table is not None
    assert priced("cortex-m", "adds r0, #1; adds r1, #1", table) == 1
    assert priced("cortex-m", "adds r0, #1; adds r1, r0", table) == 2, "the second needs the first"
    assert priced("cortex-m", "ldr r0, [r2]; ldr r1, [r3]", table) == 2, "one unit"
    assert priced("cortex-m", "ldr r0, [r2]; adds r1, #1; adds r3, #1", table) == 2


def test_segments_add_up_and_know_their_bytes() -> None:
    program = parse_listing("cortex-m", LISTING)
    text = "block 64 14 3 1 5 5\nblock 82 2 1 1 5 4\nmoved 0 0 0 0\nmoved 1 8 20 40\nmoved 2 0 1 0\n"
    table = load_target("cortex-m4").cycles
    before, layer, after = costs(parse_trace(text, program, 3), table)
    assert before.instructions == after.instructions == 0 and layer.instructions == 20
    assert layer.mix == {"branch": 5, "load": 10, "multiple": 5}
    # A push of four, a load behind it, and one behind a load that it needs; a byte's block ends without a branch.
    assert layer.cycles == 5 * (5 + 2 + 2) + 5 * 2 + 4 * 3 + 1
    whole = total([before, layer, after])
    assert whole.cycles == layer.cycles and whole.instructions == 20
    assert (whole.moved.flash_read, whole.moved.ram_read, whole.moved.ram_written) == (8, 21, 40)
    assert total(costs(parse_trace(text, program, 3), None)).cycles is None


@pytest.mark.parametrize(
    "text", ["block 64 14 3 7 1 1\nmoved 0 0 0 0", "moved 0 0 0", "block 64", "moved 1 0 0 0", "block x"]
)
def test_a_damaged_trace_is_one_error(text: str) -> None:
    with pytest.raises(OctavoError, match="wrote what it should not"):
        parse_trace(text, parse_listing("cortex-m", LISTING), 1)


def test_every_emulated_target_states_where_its_cycles_come_from() -> None:
    for name in available_targets():
        target = load_target(name)
        assert (target.cycles is None) == (target.board is None)
