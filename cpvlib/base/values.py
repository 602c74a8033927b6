"""Classes of plain values: dataclasses and named tuples, to a type checker and to whoever uses them, but
quicker to make.

Python's own writes the methods of each class as source and compiles that, 0.2 to 0.5 ms for each, whenever
the program starts: with eighty such classes a third of a short command. Here all classes share methods that
go by the names of the fields. Only what is used is here: frozen or not, ordered or not, defaults, factories,
what `repr` shows, what is compared.
"""

from __future__ import annotations

from cpvlib.base.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from dataclasses import field as field
    from dataclasses import replace as replace
    from typing import NamedTuple as NamedTuple
else:
    import operator
    from _collections import _tuplegetter  # what `collections.namedtuple` takes: half the time of a property

    _FIELDS = "__values__"
    _NOTHING = object()
    _ORDER = (operator.lt, operator.le, operator.gt, operator.ge)

    class _Field:
        def __init__(self, default=_NOTHING, default_factory=None, repr=True, compare=True):  # noqa: A002
            self.default = default
            self.default_factory = default_factory
            self.repr = repr
            self.compare = compare

    field = _Field

    def dataclass(cls=None, *, frozen=False, order=False):
        """As `dataclasses.dataclass`."""
        if cls is None:
            return lambda cls: dataclass(cls, frozen=frozen, order=order)
        fields = _fields(cls)
        compared = [name for name, each in fields.items() if each.compare]
        values = operator.attrgetter(*compared) if compared else lambda _: ()
        methods = {"__init__": _init(cls.__name__, fields), "__repr__": _repr}
        for compare in (operator.eq, *(_ORDER if order else ())):
            methods[f"__{compare.__name__}__"] = _comparison(compare, values)
        if frozen:
            methods |= {"__setattr__": _refuse, "__delattr__": _refuse}
        for name in methods.keys() - cls.__dict__.keys():
            setattr(cls, name, methods[name])
        cls.__hash__ = (lambda self: hash(values(self))) if frozen else None
        setattr(cls, _FIELDS, fields)
        return cls

    def replace(value, /, **changes):
        """As `dataclasses.replace`."""
        return type(value)(**{name: getattr(value, name) for name in getattr(value, _FIELDS)} | changes)

    def _fields(cls):
        """Each field by its name, those of base classes first; what `field` was given becomes the default."""
        fields = {}
        for base in reversed(cls.__mro__[1:]):
            fields |= getattr(base, _FIELDS, {})
        for name in cls.__annotations__:
            given = cls.__dict__.get(name, _NOTHING)
            fields[name] = given if isinstance(given, _Field) else _Field(given)
            if given is not fields[name]:
                continue
            if given.default is _NOTHING:
                delattr(cls, name)
            else:
                setattr(cls, name, given.default)
        return fields

    def _init(class_name, fields):
        names = tuple(fields)
        defaults = {name: each.default for name, each in fields.items() if each.default is not _NOTHING}
        factories = {name: each.default_factory for name, each in fields.items() if each.default_factory}

        def __init__(self, *args, **named):  # noqa: N807
            state = self.__dict__
            state |= defaults
            state |= zip(names, args, strict=False)
            state |= named
            for name, make in factories.items():
                if name not in state:
                    state[name] = make()
            twice = args and named.keys() & names[: len(args)]
            if twice or len(state) != len(names) or len(args) > len(names):
                raise TypeError(f"{class_name}() takes {', '.join(names)}")

        return __init__

    def _comparison(compare, values):
        def compared(self, other):
            if other.__class__ is not self.__class__:
                return NotImplemented
            return compare(values(self), values(other))

        return compared

    def _repr(self):
        fields = getattr(self, _FIELDS).items()
        shown = [f"{name}={getattr(self, name)!r}" for name, each in fields if each.repr]
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def _refuse(self, name, *_):
        raise AttributeError(f"a {type(self).__name__} does not change, nor does its '{name}'")

    class _NamedTupleType(type):
        """Makes the class without a `__dict__`, and its fields of what is annotated."""

        def __new__(mcs, name, bases, members):
            cls = super().__new__(mcs, name, bases, {**members, "__slots__": ()})
            cls._fields = tuple(cls.__annotations__)
            cls._defaults = {field: members[field] for field in cls._fields if field in members}
            for at, field in enumerate(cls._fields):
                setattr(cls, field, _tuplegetter(at, field))
            return cls

    class NamedTuple(tuple, metaclass=_NamedTupleType):
        """As `typing.NamedTuple`."""

        def __new__(cls, *values, **named):
            if named or len(values) != len(cls._fields):
                values = _filled(cls, values, named)
            return tuple.__new__(cls, values)

        def __getnewargs__(self):
            return tuple(self)

        def __repr__(self):
            shown = [f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True)]
            return f"{type(self).__name__}({', '.join(shown)})"

        def _replace(self, **changes):
            return type(self)(**dict(zip(self._fields, self, strict=True)) | changes)

        _make = classmethod(tuple.__new__)  # a third of the time, and no look at how many there are

    def _filled(cls, values, named):
        given = dict(zip(cls._fields, values, strict=False))
        state = cls._defaults | given | named
        if len(values) > len(cls._fields) or given.keys() & named or state.keys() != set(cls._fields):
            raise TypeError(f"{cls.__name__}() takes {', '.join(cls._fields)}")
        return [state[name] for name in cls._fields]
