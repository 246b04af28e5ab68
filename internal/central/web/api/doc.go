// Package api is the description of what programs do at the centre: openapi.yaml, served at /api/v1/openapi.yaml.
//
// The routes themselves stand in the sections whose pages do the same, so that both ask the same rule in the same place. A test compares
// the routes with the description, and one validates real answers by it.
package api
