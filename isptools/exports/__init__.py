"""Shards in the formats of other tools: what is stored stays what is stored, with its facts."""

from isptools.exports.convert import KINDS, Converted, Options, convert

__all__ = ["KINDS", "Converted", "Options", "convert"]
