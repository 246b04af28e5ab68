package enrolment

import (
	"context"
	"fmt"
	"net/url"

	"haochaping/internal/identity"
	"haochaping/internal/rating"
)

// bundlePath is where the door takes what a command has asked for.
const bundlePath = "/bundle/"

// BundleConfig names by what the centre knows the box. All are needed.
type BundleConfig struct {
	URL    string // of the centre's door
	Device rating.DeviceID
	Key    identity.Key // of the box's certificate
	Own    string       // the file of that certificate
	Trust  identity.Trust
}

// SendBundle sends what support needs as the answer to a command. The centre takes it once for each, and no other than it has asked for.
func SendBundle(ctx context.Context, c BundleConfig, command string, archive []byte) error {
	d, err := newDoor(Config{URL: c.URL, Device: c.Device, Key: c.Key, Trust: c.Trust})
	if err != nil {
		return fmt.Errorf("send what support needs: %w", err)
	}
	own, err := identity.ReadCertificate(c.Own, c.Key)
	if err != nil {
		return fmt.Errorf("send what support needs: %w", err)
	}
	_, _, err = d.do(ctx, question{path: bundlePath + url.PathEscape(command), own: &own, body: archive, kind: "application/gzip"})
	return err
}
