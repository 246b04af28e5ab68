// Package descriptions lets the tools of others read what the product describes itself by: spectral the OpenAPI and AsyncAPI files, ajv in
// strict mode and Python's jsonschema the schemas with records and messages of the product's own, and oapi-codegen the window API, whose
// generated client must compile.
//
// "make descriptions" installs the tools of npm; Python's is the Debian package python3-jsonschema. Without them a test is skipped and
// names what is missing, and fails with CI=1.
package descriptions
