"""Vectors of 16 numbers in kernels, where the compiler finds none in a loop by itself.

What is marked `vectors` is called while numba compiles the kernel that names it: its arithmetic on
`Number` leaves straight instructions there, in the order in which they are written, on every
machine. A machine with shorter vectors does them in parts.
"""

import inspect
import operator
from collections.abc import Callable, Sequence
from typing import Any

from isptools.compiled import numba_module

WIDTH = 16


class Number:
    """A number of a kernel that is being compiled, or a vector of them; float32 where not said."""

    __array_ufunc__ = None  # NumPy's floats leave arithmetic with these to this class

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    @property
    def width(self) -> int:
        """1 for a plain number."""
        return int(getattr(self.value.type, "count", 1))

    def __add__(self, other: "Number | float") -> "Number":
        return self._with("fadd", other)

    def __sub__(self, other: "Number | float") -> "Number":
        return self._with("fsub", other)

    def __mul__(self, other: "Number | float") -> "Number":
        return self._with("fmul", other)

    def __rmul__(self, other: float) -> "Number":
        return self._with("fmul", other)

    def __rsub__(self, other: float) -> "Number":
        return self.constant(other)._with("fsub", self)

    def __truediv__(self, other: "Number | float") -> "Number":
        return self._with("fdiv", other)

    def __rtruediv__(self, other: float) -> "Number":
        return self.constant(other)._with("fdiv", self)

    def __getitem__(self, lane: int) -> "Number":
        return Number(self.builder, self.builder.extract_element(self.value, _int32(lane)))

    def absolute(self) -> "Number":
        """Without its sign."""
        return self._intrinsic("llvm.fabs")

    def floor(self) -> "Number":
        """The next whole number below."""
        return self._intrinsic("llvm.floor")

    def single(self) -> "Number":
        """float64 rounded to float32."""
        kind = self._kind(_ir().FloatType())
        return Number(self.builder, self.builder.fptrunc(self.value, kind))

    def whole(self) -> "Number":
        """int32 of a float that is a whole number."""
        kind = self._kind(_ir().IntType(32))
        return Number(self.builder, self.builder.fptosi(self.value, kind))

    def byte(self, place: int) -> "Number":
        """A byte of each int32, the lowest is 0, as float32."""
        ir, kind = _ir(), self.value.type
        moved = self.builder.lshr(self.value, _repeated(kind, 8 * place))
        least = self.builder.and_(moved, _repeated(kind, 255))
        return Number(self.builder, self.builder.sitofp(least, self._kind(ir.FloatType())))

    def counted(self, width: int) -> "Number":
        """0, 1, 2, ... of this type."""
        kind = _ir().VectorType(self.value.type, width)
        return Number(self.builder, _ir().Constant(kind, [float(k) for k in range(width)]))

    def times(self, other: Any) -> "Number":
        """Product of int32 and an integer, Python's or the kernel's."""
        return self._whole("mul", other)

    def plus(self, other: Any) -> "Number":
        """Sum of int32 and others, or an integer, Python's or the kernel's."""
        return self._whole("add", other)

    def least(self, other: "Number") -> "Number":
        """The lesser of two, lane by lane."""
        return self._intrinsic("llvm.minnum", other)

    def most(self, other: "Number") -> "Number":
        """The greater of two, lane by lane."""
        return self._intrinsic("llvm.maxnum", other)

    def folded(self, two: "Two") -> "Number":
        """One of all lanes: the upper half is put onto the lower one, until one is left."""
        rest = self
        while rest.width > 2:
            half = rest.width // 2
            rest = two(rest.part(0, half), rest.part(half, half))
        return two(rest[0], rest[1])

    def spread(self, width: int = WIDTH) -> "Number":
        """A vector of this plain number."""
        ir = _ir()
        kind = ir.VectorType(self.value.type, width)
        one = self.builder.insert_element(ir.Constant(kind, ir.Undefined), self.value, _int32(0))
        return Number(self.builder, one).shuffled(Number(self.builder, one), [0] * width)

    def shuffled(self, other: "Number", lanes: Sequence[int]) -> "Number":
        """Lanes of this vector, then of another one of the same width, by number."""
        ir = _ir()
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), list(lanes))
        return Number(self.builder, self.builder.shuffle_vector(self.value, other.value, mask))

    def part(self, first: int, width: int) -> "Number":
        """So many lanes of this vector."""
        return self.shuffled(self, range(first, first + width))

    def joined(self, other: "Number") -> "Number":
        """This vector, then another one of the same width."""
        return self.shuffled(other, range(2 * self.width))

    def _with(self, operation: str, other: "Number | float") -> "Number":
        other = other if isinstance(other, Number) else self.constant(other)
        one = self if self.width >= other.width else self.spread(other.width)
        two = other if other.width >= self.width else other.spread(self.width)
        return Number(self.builder, getattr(self.builder, operation)(one.value, two.value))

    def _whole(self, operation: str, other: Any) -> "Number":
        if isinstance(other, int):
            other = Number(self.builder, _repeated(self.value.type, other))
        elif not isinstance(other, Number):
            short = self.builder.trunc(other, _ir().IntType(32))
            other = Number(self.builder, short).spread(self.width)
        return Number(self.builder, getattr(self.builder, operation)(self.value, other.value))

    def constant(self, number: float) -> "Number":
        """A number of this type, on all lanes."""
        return Number(self.builder, _repeated(self.value.type, float(number)))

    def _kind(self, element: Any) -> Any:
        return element if self.width == 1 else _ir().VectorType(element, self.width)

    def _intrinsic(self, name: str, *others: "Number") -> "Number":
        kind, module = self.value.type, self.builder.module
        size = {"float": 32, "double": 64}[str(getattr(kind, "element", kind))]
        name += f".f{size}" if self.width == 1 else f".v{self.width}f{size}"
        given = [self.value, *(other.value for other in others)]
        call = module.globals.get(name) or _ir().Function(
            module, _ir().FunctionType(kind, [kind] * len(given)), name
        )
        return Number(self.builder, self.builder.call(call, given))


Two = Callable[[Number, Number], Number]


class Place:
    """Where a contiguous array is read and written, as if it were flat."""

    def __init__(self, builder: Any, pointer: Any, element: Any) -> None:
        self.builder, self.pointer, self.element = builder, pointer, element

    def __add__(self, elements: Any) -> "Place":
        """So many elements on: a Python integer or one of the kernel."""
        ir = _ir()
        step = ir.Constant(ir.IntType(64), elements) if isinstance(elements, int) else elements
        return Place(self.builder, self.builder.gep(self.pointer, [step]), self.element)

    def __getitem__(self, row: int) -> Number:
        """A row of a flat tile of 16 columns."""
        return (self + WIDTH * row).load()

    def __setitem__(self, row: int, number: Number) -> None:
        (self + WIDTH * row).store(number)

    def load(self, width: int = WIDTH) -> Number:
        """A vector of what lies there; a plain number for 1."""
        return Number(self.builder, self.builder.load(self._of(width), align=self._size()))

    def store(self, number: Number) -> None:
        """Write a vector there."""
        self.builder.store(number.value, self._of(number.width), align=self._size())

    def fetch(self) -> None:
        """Have what lies there brought nearer, for later."""
        ir = _ir()
        number, kind = ir.IntType(32), ir.VoidType()
        byte = ir.IntType(8).as_pointer()
        module, name = self.builder.module, "llvm.prefetch.p0"
        call = module.globals.get(name) or ir.Function(
            module, ir.FunctionType(kind, [byte, number, number, number]), name
        )
        place = self.builder.bitcast(self.pointer, byte)
        self.builder.call(call, [place, _int32(0), _int32(3), _int32(1)])

    def words(self, offsets: Number) -> Number:
        """Of bytes: the four that lie at each offset (int32) and behind, as int32."""
        ir, builder, width = _ir(), self.builder, offsets.width
        long, word = ir.IntType(64), ir.VectorType(ir.IntType(32), width)
        base = Number(builder, builder.ptrtoint(self.pointer, long)).spread(width)
        far = builder.sext(offsets.value, ir.VectorType(long, width))
        places = ir.VectorType(ir.IntType(32).as_pointer(), width)
        pointers = builder.inttoptr(builder.add(base.value, far), places)
        mask = ir.VectorType(ir.IntType(1), width)
        kind = ir.FunctionType(word, [places, ir.IntType(32), mask, word])
        name = f"llvm.masked.gather.v{width}i32.v{width}p0"
        call = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        given = [pointers, _int32(1), _repeated(mask, 1), ir.Constant(word, ir.Undefined)]
        return Number(builder, builder.call(call, given))

    def _of(self, width: int) -> Any:
        ir = _ir()
        kind = ir.VectorType(self.element, width) if width > 1 else self.element
        return self.builder.bitcast(self.pointer, kind.as_pointer())

    def _size(self) -> int:
        return {"float": 4, "double": 8, "i8": 1}[str(self.element)]


def begins(place: Place, step: Any, count: int) -> list[Place]:
    """Where so many rows begin that lie `step` elements apart."""
    places = [place]
    for _ in range(count - 1):
        places.append(places[-1] + step)
    return places


def folded(two: Two, numbers: Sequence[Number]) -> Number:
    """One of many, in pairs of neighbors, and pairs of pairs."""
    while len(numbers) > 1:
        pairs = [two(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=False)]
        numbers = pairs + list(numbers[len(pairs) * 2 :])
    return numbers[0]


def summed(numbers: Sequence[Number]) -> Number:
    """The sum of all lanes of vectors."""
    return folded(operator.add, numbers).folded(operator.add)


class _Vectors:
    """What numba asks a global for while it compiles a kernel."""

    def __init__(self, function: Callable[..., Any], results: int) -> None:
        self.__doc__ = function.__doc__
        self.function, self.results = function, results
        self.type: Any = None

    @property
    def _numba_type_(self) -> Any:
        if self.type is None:
            core = numba_module().core
            template = core.typing.templates.make_intrinsic_template(
                self, self._definition(), self.function.__name__
            )
            self.type = core.types.Function(template)
        return self.type

    def _definition(self) -> Callable[..., Any]:
        types = numba_module().core.types
        many = types.UniTuple(types.float32, self.results)
        given = {0: types.void, 1: types.float32}.get(self.results, many)

        def define(_context: Any, *args: Any) -> Any:
            return given(*args), self._emit

        first = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        rest = inspect.signature(self.function).parameters.values()
        define.__signature__ = inspect.Signature([first, *rest])  # type: ignore[attr-defined]
        return define

    def _emit(self, context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        pairs = zip(signature.args, args, strict=True)
        found = self.function(*(_argument(context, builder, *pair) for pair in pairs))
        if not self.results:
            return context.get_dummy_value()
        values = [number.value for number in found]
        many = self.results > 1
        return context.make_tuple(builder, signature.return_type, values) if many else values[0]


def vectors(results: int = 0) -> Callable[[Callable[..., Any]], Any]:
    """Make a function of `Place` (for arrays), `Number` (for floats) and integers, as kernels give
    them, one that kernels can call. It gives a list of so many plain float32."""
    return lambda function: _Vectors(function, results)


def _argument(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    types = numba_module().core.types
    if isinstance(kind, types.Array):
        if kind.layout != "C":
            raise TypeError(f"vectors lie in contiguous arrays, not in {kind}")
        element = context.get_data_type(kind.dtype)
        return Place(builder, context.make_array(kind)(context, builder, value).data, element)
    return Number(builder, value) if isinstance(kind, types.Float) else value


def _repeated(kind: Any, number: float) -> Any:
    """A constant of a type, on every lane."""
    count = getattr(kind, "count", 0)
    return _ir().Constant(kind, [number] * count if count else number)


def _int32(number: int) -> Any:
    ir = _ir()
    return ir.Constant(ir.IntType(32), number)


def _ir() -> Any:
    from llvmlite import ir  # noqa: PLC0415 - numba's, loaded with it

    return ir
