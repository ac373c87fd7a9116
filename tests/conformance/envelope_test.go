package conformance

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"k8s.io/apiserver/pkg/storage/value"
	"k8s.io/apiserver/pkg/storage/value/encrypt/envelope/kmsv2"
	kmsservice "k8s.io/kms/pkg/service"
)

const seedLifetime = time.Hour

// newTransformer does what an API server does at its start: one Status, one Encrypt of a fresh
// seed.
func newTransformer(t *testing.T, service kmsservice.Service) (value.Transformer, error) {
	t.Helper()
	ctx := context.Background()
	status, err := service.Status(ctx)
	if err != nil {
		return nil, err
	}
	transformer, object, cacheKey, err := kmsv2.GenerateTransformer(ctx, requestUID, service, true)
	if err != nil {
		return nil, err
	}
	if object.KeyID != status.KeyID {
		return nil, errors.New("Encrypt and Status name different key_ids")
	}
	state := kmsv2.State{
		Transformer:                           transformer,
		EncryptedObjectKeyID:                  object.KeyID,
		EncryptedObjectEncryptedDEKSource:     object.EncryptedDEKSource,
		EncryptedObjectAnnotations:            object.Annotations,
		EncryptedObjectEncryptedDEKSourceType: object.EncryptedDEKSourceType,
		UID:                                   requestUID,
		ExpirationTimestamp:                   time.Now().Add(seedLifetime),
		CacheKey:                              cacheKey,
	}
	stateFunc := func() (kmsv2.State, error) { return state, nil }
	return kmsv2.NewEnvelopeTransformer(service, providerName(t), stateFunc, "test-api-server"), nil
}

func startAPIServer(t *testing.T) value.Transformer {
	t.Helper()
	transformer, err := newTransformer(t, newService(t))
	if err != nil {
		t.Fatal(err)
	}
	return transformer
}

func TestStoredObjectsSurviveAPIServerRestarts(t *testing.T) {
	ctx, object := context.Background(), value.DefaultContext("/registry/secrets/default/one")
	var stored [][]byte
	for range 3 {
		transformer := startAPIServer(t)
		bytesInEtcd, err := transformer.TransformToStorage(ctx, []byte(plaintext), object)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(bytesInEtcd, []byte(plaintext)) {
			t.Fatal("plaintext in storage")
		}
		stored = append(stored, bytesInEtcd)
	}
	fresh := startAPIServer(t)
	for _, bytesInEtcd := range stored {
		got, stale, err := fresh.TransformFromStorage(ctx, bytesInEtcd, object)
		if err != nil || string(got) != plaintext || stale {
			t.Fatalf("got %q, stale %v, %v", got, stale, err)
		}
	}
}

func TestStoredObjectOfAnotherKeyIsRefused(t *testing.T) {
	ctx := context.Background()
	transformer := startAPIServer(t)
	one, other := value.DefaultContext("/registry/a"), value.DefaultContext("/registry/b")
	stored, err := transformer.TransformToStorage(ctx, []byte(plaintext), one)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := transformer.TransformFromStorage(ctx, stored, other); err == nil {
		t.Fatal("an object moved to another key was accepted")
	}
}

func TestTwoAPIServersStartAtOnce(t *testing.T) {
	var group sync.WaitGroup
	for range 2 {
		service := newService(t)
		group.Add(1)
		go func() {
			defer group.Done()
			if _, err := newTransformer(t, service); err != nil {
				t.Error(err)
			}
		}()
	}
	group.Wait()
}
