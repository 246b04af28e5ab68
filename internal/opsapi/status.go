package opsapi

import (
	"time"

	"haochaping/internal/condition"
)

// StatusVersion is the version of Status. Fields are added within it, and never change their meaning.
const StatusVersion = 1

// Part is how a part of the box is.
type Part struct {
	Name  string          `json:"name"`
	OK    bool            `json:"ok"`
	Vital bool            `json:"vital"`           // without it the box is not healthy
	Code  condition.Code  `json:"code,omitempty"`  // of its trouble, as docs/operations.md lists them
	Level condition.Level `json:"level,omitempty"` // how much the trouble asks for
	What  condition.Text  `json:"what"`
	Means condition.Text  `json:"means,omitzero"`
	Do    condition.Text  `json:"do,omitzero"` // the way out
	Since time.Time       `json:"since"`       // by the box's clock; when that is set, the time is corrected
}

// Fault is when a part did not work.
type Fault struct {
	Part  string         `json:"part"`
	Code  condition.Code `json:"code"`
	What  condition.Text `json:"what"`
	Since time.Time      `json:"since"`
	Until *time.Time     `json:"until,omitempty"` // nil: it goes on
}

// Health is the answer of /healthz.
type Health struct {
	OK    bool   `json:"ok"`
	Parts []Part `json:"parts"`
}

// Part returns how a part is. One that is not there is well.
func (h Health) Part(name string) Part {
	for _, p := range h.Parts {
		if p.Name == name {
			return p
		}
	}
	return Part{Name: name, OK: true}
}

// Troubles returns the codes of what is not well, in the order of the parts.
func (h Health) Troubles() []string {
	var out []string
	for _, p := range h.Parts {
		if p.Code != "" {
			out = append(out, string(p.Code))
		}
	}
	return out
}

// Status is the answer of /v1/status. What the window is doing has no more states than its PC may see: the thanks are part of
// the asking.
type Status struct {
	V           int       `json:"v"`
	Device      string    `json:"device"`
	Version     string    `json:"version"`
	Fingerprint string    `json:"fingerprint"`         // of the box's public key
	Algorithm   string    `json:"algorithm,omitempty"` // in which the box signs its records; older boxes do not say
	Started     time.Time `json:"started"`             // the daemon
	UptimeSec   int64     `json:"uptime_sec"`
	State       string    `json:"state"` // starting, enrolling, idle, asking, paused, closed or fault
	Window      *Window   `json:"window,omitempty"`

	Healthy   bool   `json:"healthy"`
	Parts     []Part `json:"parts"`
	LastFault *Fault `json:"last_fault,omitempty"` // since the daemon started

	Centre       Centre       `json:"centre"`
	Queue        Queue        `json:"queue"`
	Disk         Disk         `json:"disk"`
	Clock        Clock        `json:"clock"`
	Certificate  *Certificate `json:"certificate,omitempty"`   // nil: the box has none
	TemperatureC *int         `json:"temperature_c,omitempty"` // of the processor, in °C; nil where it cannot be read
	UnknownKeys  uint64       `json:"unknown_keys"`            // presses of keys without a level, since the start
	StuckKeys    uint64       `json:"stuck_keys"`              // keys found stuck, since the start
}

// Part returns how a part is, as of Health.
func (s Status) Part(name string) Part { return Health{Parts: s.Parts}.Part(name) }

// Window is the window that the centre has assigned to the box.
type Window struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Hall       string `json:"hall"`
	Generation uint32 `json:"generation"`
}

// Centre is the way to the centre.
type Centre struct {
	Broker      string    `json:"broker"` // its address, without user and password
	Connected   bool      `json:"connected"`
	Since       time.Time `json:"since"`       // of being connected or not
	Connections uint64    `json:"connections"` // that were made since the start
	Silences    uint64    `json:"silences"`    // times that no acknowledgement came, since the start
	// Unsigned says that something came since the start which the configured centre has not signed.
	Unsigned bool `json:"unsigned"`
	// TooLarge names the oldest record that the broker does not take for its size, nil if there is none.
	TooLarge *TooLarge `json:"too_large,omitempty"`
}

// TooLarge is a record that waits until somebody has raised the broker's limit. Those behind it are sent.
type TooLarge struct {
	Seq   uint64 `json:"seq"`
	Bytes int    `json:"bytes"`
	Limit int    `json:"limit,omitempty"` // the broker's, 0 if it does not say
	Count int    `json:"count"`           // of such records
}

// Queue is what waits for the centre's acknowledgement.
type Queue struct {
	Pending   uint64 `json:"pending"`    // records, corrections left out
	OldestSec int64  `json:"oldest_sec"` // age of the oldest; -1 when an earlier start wrote it and no clock tells
}

// Disk is where the box's log is.
type Disk struct {
	Folder    string `json:"folder"`
	FreeBytes uint64 `json:"free_bytes"` // in whole megabytes
	SizeBytes uint64 `json:"size_bytes"` // of the file system
}

// Clock is the box's clock.
type Clock struct {
	Now    time.Time `json:"now"`
	Synced bool      `json:"synced"` // something keeps it right
	// OffsetMS is box minus centre, in milliseconds; nil before the first acknowledgement.
	OffsetMS *int64 `json:"offset_ms,omitempty"`
}

// Certificate is the box's own at the broker.
type Certificate struct {
	NotAfter time.Time `json:"not_after"`
	Days     int       `json:"days"` // whole days that are left; negative once it has ended
}

// Room returns free in whole megabytes, in bytes: exact figures would move with each record.
func Room(free uint64) uint64 { return free >> 20 << 20 }
