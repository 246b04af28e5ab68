package main

import (
	"context"
	"errors"

	"haochaping/internal/central/ledger"
	"haochaping/internal/central/ratepage"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
)

// rateBooks is the ledger as the rating page needs it.
type rateBooks struct{ *ledger.Ledger }

// Device implements ratepage.Books.
func (b rateBooks) Device(ctx context.Context, id rating.DeviceID) (ratepage.Device, error) {
	d, err := b.Ledger.Device(ctx, id)
	if errors.Is(err, ledger.ErrNoDevice) {
		return ratepage.Device{}, ratepage.ErrNoDevice
	}
	return ratepage.Device{Key: d.Key, Window: d.Window}, err
}

// Visit implements ratepage.Books.
func (b rateBooks) Visit(ctx context.Context, device rating.DeviceID, visit rating.VisitID) (ratepage.Visit, error) {
	v, err := b.Ledger.Visit(ctx, device, visit)
	if err != nil {
		return ratepage.Visit{}, err
	}
	return ratepage.Visit{Visit: v.Visit, Closed: v.ClosedAt, Rated: v.Rated}, nil
}

// Rate implements ratepage.Books.
func (b rateBooks) Rate(ctx context.Context, s ratepage.Submission) ([]ratepage.Result, error) {
	results, err := b.AddPhone(ctx, ledger.PhoneRating{
		Device: s.Device, Visit: s.Visit, Evaluations: s.Evaluations, Submission: s.ID, At: s.At})
	if err != nil {
		return nil, err
	}
	var out []ratepage.Result
	for _, r := range results {
		out = append(out, ratepage.Result{Question: r.Question, Counted: r.Status == ledger.Counted})
	}
	return out, nil
}

// webBooks is the ledger as the centre's page needs it.
type webBooks struct{ *ledger.Ledger }

// Latest implements web.Books.
func (b webBooks) Latest(ctx context.Context, n int) ([]web.Entry, error) {
	entries, err := b.Ledger.Latest(ctx, n)
	if err != nil {
		return nil, err
	}
	var out []web.Entry
	for _, e := range entries {
		w := web.Entry{
			Cursor: e.Cursor, Device: e.Device, Seq: e.Seq, Visit: e.Visit, Window: e.Window, Staff: e.Staff, Matter: e.Matter,
			Subject: e.Subject, Level: e.Level, Channel: e.Channel, Opener: e.Opener, Reasons: e.Reasons, Text: e.Text,
			At: e.At, Quality: e.Quality, Earliest: e.Earliest, Latest: e.Latest, ReceivedAt: e.ReceivedAt, Status: string(e.Status),
		}
		if e.Epoch != 0 {
			w.Epoch = e.Epoch.String()
		}
		out = append(out, w)
	}
	return out, nil
}

// State implements web.Books.
func (b webBooks) State(ctx context.Context) ([]web.Finding, []web.Device, error) {
	found, err := b.Findings(ctx)
	if err != nil {
		return nil, nil, err
	}
	states, err := b.States(ctx)
	if err != nil {
		return nil, nil, err
	}
	var findings []web.Finding
	for _, f := range ledger.Join(found) {
		findings = append(findings, web.Finding{Device: f.Device, Epoch: f.Epoch.String(), From: f.From, To: f.To,
			Kind: string(f.Kind), Detail: f.Detail, Found: f.FoundAt, Resolved: f.ResolvedAt})
	}
	var devices []web.Device
	for _, d := range states {
		devices = append(devices, web.Device{ID: d.ID, Window: d.Window, Presence: presence(d)})
	}
	return findings, devices, nil
}

// presence says what was heard last of a box: online, offline, unenrolled, refused, or nothing.
func presence(d ledger.DeviceState) string {
	switch {
	case !d.Enrolled:
		return "unenrolled"
	case d.Refused > 0 && d.RefusedAt.After(d.PresenceAt):
		return "refused"
	case d.Presence == nil:
		return ""
	case !d.Presence.Online:
		return "offline"
	}
	return "online"
}
