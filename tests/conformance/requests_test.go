package conformance

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/storage/value/encrypt/envelope/kmsv2"
	kmsapi "k8s.io/kms/apis/v2"
	kmsservice "k8s.io/kms/pkg/service"
)

func TestStatusIsOkToTheByte(t *testing.T) {
	answer, err := newService(t).Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if answer.Healthz != "ok" || answer.Version != kmsv2.KMSAPIVersionv2 {
		t.Fatalf("got healthz %q, version %q", answer.Healthz, answer.Version)
	}
	if code, err := kmsv2.ValidateKeyID(answer.KeyID); err != nil {
		t.Fatalf("the API server refuses the key_id: %v %v", code, err)
	}
}

func TestStatusMakesNoTransitCall(t *testing.T) {
	service := newService(t)
	before := transitCalls(t, "encrypt") + transitCalls(t, "decrypt")
	for range 3 {
		if _, err := service.Status(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if after := transitCalls(t, "encrypt") + transitCalls(t, "decrypt"); after != before {
		t.Fatalf("Transit was called %d times", after-before)
	}
}

func TestBothAuthorityFormsAreAccepted(t *testing.T) {
	for _, authority := range []string{"", "localhost"} {
		answer, err := newClient(t, authority).Status(requestContext(t), &kmsapi.StatusRequest{})
		if err != nil || answer.Healthz != "ok" {
			t.Fatalf("authority %q: %v %v", authority, answer, err)
		}
	}
}

func TestEncryptAnswersWithinTheLimitsOfTheAPIServer(t *testing.T) {
	service := newService(t)
	answer := encryptOne(t, service)
	status, err := service.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if answer.KeyID != status.KeyID {
		t.Fatalf("Encrypt says key_id %q, Status %q", answer.KeyID, status.KeyID)
	}
	if size := len(answer.Ciphertext); size == 0 || size > 1024 {
		t.Fatalf("ciphertext of %d bytes", size)
	}
	if len(answer.Annotations) == 0 {
		t.Fatal("no annotations")
	}
	path := field.NewPath("annotations")
	for key := range answer.Annotations {
		if errs := validation.IsFullyQualifiedDomainName(path, key); len(errs) > 0 {
			t.Errorf("annotation %q: %v", key, errs)
		}
	}
}

func TestDecryptGivesBackThePlaintext(t *testing.T) {
	service := newService(t)
	request := decryptRequest(encryptOne(t, service))
	got, err := service.Decrypt(context.Background(), requestUID, request)
	if err != nil || string(got) != plaintext {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestForgedKeyIDIsNotFoundWithoutATransitDecrypt(t *testing.T) {
	service := newService(t)
	request := decryptRequest(encryptOne(t, service))
	request.KeyID = forgedKeyID()
	before := transitCalls(t, "decrypt")
	_, err := service.Decrypt(context.Background(), requestUID, request)
	wantCode(t, err, codes.NotFound)
	if after := transitCalls(t, "decrypt"); after != before {
		t.Fatalf("Transit decrypted %d times", after-before)
	}
}

func TestTamperedDecryptRequestsAreInvalidArguments(t *testing.T) {
	service := newService(t)
	encrypted := encryptOne(t, service)
	cases := map[string]func(*kmsservice.DecryptRequest){
		"nil annotations": func(r *kmsservice.DecryptRequest) { r.Annotations = nil },
		"another version": func(r *kmsservice.DecryptRequest) {
			r.Annotations["transit-key-version.kms.openbao.org"] = []byte("999")
		},
		"malformed key_id": func(r *kmsservice.DecryptRequest) { r.KeyID = "not-a-key-id" },
		"key_id at the limit": func(r *kmsservice.DecryptRequest) {
			r.KeyID = strings.Repeat("k", 1024)
		},
		"truncated ciphertext": func(r *kmsservice.DecryptRequest) { r.Ciphertext = r.Ciphertext[:12] },
		"empty ciphertext":     func(r *kmsservice.DecryptRequest) { r.Ciphertext = nil },
	}
	for name, change := range cases {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			request := decryptRequest(encrypted)
			change(request)
			_, err := service.Decrypt(context.Background(), requestUID, request)
			wantCode(t, err, codes.InvalidArgument)
		})
	}
}

func TestMessageAboveTheCapIsRefusedWithoutATransitCall(t *testing.T) {
	service := newService(t)
	before := transitCalls(t, "encrypt")
	_, err := service.Encrypt(context.Background(), requestUID, bytes.Repeat([]byte("x"), 65536))
	wantCode(t, err, codes.ResourceExhausted)
	if after := transitCalls(t, "encrypt"); after != before {
		t.Fatalf("Transit encrypted %d times", after-before)
	}
}

func TestEqualDecryptsInParallelAllSucceed(t *testing.T) {
	service := newService(t)
	request := decryptRequest(encryptOne(t, service))
	var group sync.WaitGroup
	for range 10 {
		group.Add(1)
		go func() {
			defer group.Done()
			got, err := service.Decrypt(context.Background(), requestUID, request)
			if err != nil || string(got) != plaintext {
				t.Errorf("got %q, %v", got, err)
			}
		}()
	}
	group.Wait()
}

func TestASecondConnectionWorksNextToTheFirst(t *testing.T) {
	first, second := newService(t), newService(t)
	request := decryptRequest(encryptOne(t, first))
	for _, service := range []kmsservice.Service{second, first, second} {
		got, err := service.Decrypt(context.Background(), requestUID, request)
		if err != nil || string(got) != plaintext {
			t.Fatalf("got %q, %v", got, err)
		}
	}
}
