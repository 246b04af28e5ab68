package qrcode

import (
	"fmt"

	qr "github.com/skip2/go-qrcode"
)

// QuietZone is the width in modules of the blank border that a scanner needs.
const QuietZone = 4

// Code is a QR code as a square of modules, without its quiet zone.
type Code struct {
	Version int      // 1 to 40
	Modules [][]bool // by row and column; true is dark
}

// Draw returns the QR code of a link at level M, which survives 15 % of damage.
func Draw(link string) (Code, error) {
	q, err := qr.New(link, qr.Medium)
	if err != nil {
		return Code{}, fmt.Errorf("draw the QR code: %w", err)
	}
	q.DisableBorder = true
	return Code{Version: q.VersionNumber, Modules: q.Bitmap()}, nil
}
