--- `import` of the runtime: its own modules, for unit specs.
return debug.getregistry()["lunette.import"]
