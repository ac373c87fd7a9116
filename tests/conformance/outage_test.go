package conformance

import (
	"context"
	"testing"

	"google.golang.org/grpc/codes"
)

// The API server waits up to 3 s for each Decrypt and does them one by one: with the backend down
// each
// has to fail with an answer of the provider, never by running into the caller's deadline.
func TestSerialDecryptsFailWithAnAnswerWhileOpenBaoIsDown(t *testing.T) {
	service := newService(t)
	request := decryptRequest(encryptOne(t, service))
	control(t, "openbao/down")
	t.Cleanup(func() { control(t, "openbao/up"); waitHealthy(t) })
	for range 100 {
		_, err := service.Decrypt(context.Background(), requestUID, request)
		wantCode(t, err, codes.Unavailable)
	}
}

func TestDecryptHealsAfterAnOutage(t *testing.T) {
	service := newService(t)
	request := decryptRequest(encryptOne(t, service))
	control(t, "openbao/down")
	_, err := service.Decrypt(context.Background(), requestUID, request)
	wantCode(t, err, codes.Unavailable)
	control(t, "openbao/up")
	eventually(t, "Decrypt to work again", func() error {
		_, err := service.Decrypt(context.Background(), requestUID, request)
		return err
	})
	waitHealthy(t)
}

func TestTheConnectionOutlivesACrashedWorker(t *testing.T) {
	service := newService(t)
	request := decryptRequest(encryptOne(t, service))
	control(t, "workers/kill")
	eventually(t, "Decrypt over the same connection", func() error {
		_, err := service.Decrypt(context.Background(), requestUID, request)
		return err
	})
	waitHealthy(t)
}

func TestTheSameClientReachesARestartedProvider(t *testing.T) {
	service := newService(t)
	encrypted := encryptOne(t, service)
	control(t, "provider/restart")
	eventually(t, "the key_id and the data after a restart", func() error {
		_, err := service.Decrypt(context.Background(), requestUID, decryptRequest(encrypted))
		return err
	})
	waitHealthy(t)
	if again := encryptOne(t, service); again.KeyID != encrypted.KeyID {
		t.Fatalf("key_id changed from %q to %q", encrypted.KeyID, again.KeyID)
	}
}
