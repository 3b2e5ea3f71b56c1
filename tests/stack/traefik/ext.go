// Package ext is where Traefik's own builds add options; there are none.
package ext

// HTTP has no further options.
type HTTP struct{}

// Router has no further options.
type Router struct{}
