-- SPDX-License-Identifier: MIT
-- The least script, for Lunette and for lua5.4.
print "hello, world"
