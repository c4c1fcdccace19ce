"""From a file that a listing named to what it holds, or a Refusal: all that opens a source.

`files` is what a decoder's process runs; it imports little, since one starts with every build.
"""
