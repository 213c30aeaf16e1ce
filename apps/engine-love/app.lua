-- The main script of Lunette's app, in Lua 5.4: there is nothing for it to do.
assert(math.type(1 << 40) == "integer")
