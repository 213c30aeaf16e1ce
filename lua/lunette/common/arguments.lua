--- Checks of the arguments of public functions. They are in C (runtime/bind/bind_arguments.c), and
--- what they refuse is worded by `argument_errors`.
local import = ...
local arguments = import "core.arguments"

import("core.lazy").fields(
  arguments,
  "check_closely describe fail is is_callable refuse_colon refuse_dot to_milliseconds",
  "common.argument_errors"
)

return arguments
