/* SPDX-License-Identifier: MIT */
#include "base/sha256.h"

#include "unit.h"

static void
expect(const unsigned char *got, const char *want, const char *what)
{
	char hex[2 * SHA256_SIZE + 1];
	for (int i = 0; i < SHA256_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", got[i]);
	ck_assert_msg(strcmp(hex, want) == 0, "%s: %s, not %s", what, hex, want);
}

static void
sum(const void *text, size_t n, const char *want)
{
	unsigned char got[SHA256_SIZE];
	struct sha256 s;
	sha256_init(&s);
	sha256_add(&s, text, n);
	sha256_end(&s, got);
	expect(got, want, "SHA-256");
}

/* FIPS 180-4's examples, and the empty text. */
START_TEST(published_sums)
{
	sum("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sum("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sum("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
	    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	sum("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu", 112,
	    "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
	char *million = malloc(1000000);
	ck_assert_ptr_nonnull(million);
	memset(million, 'a', 1000000);
	sum(million, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(million);
}
END_TEST

/* Every length about the edges of blocks, in pieces of every size, gives what it gives whole. */
START_TEST(pieces)
{
	unsigned char text[200], whole[SHA256_SIZE], parts[SHA256_SIZE];
	struct sha256 s;
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (unsigned char)(i * 7 + 3);
	for (size_t n = 0; n <= sizeof text; n++) {
		sha256_init(&s);
		sha256_add(&s, text, n);
		sha256_end(&s, whole);
		for (size_t piece = 1; piece <= 70; piece++) {
			sha256_init(&s);
			for (size_t at = 0; at < n; at += piece)
				sha256_add(&s, text + at, piece < n - at ? piece : n - at);
			sha256_end(&s, parts);
			unit_require(memcmp(whole, parts, sizeof whole) == 0, "%zu bytes in pieces of %zu", n, piece);
		}
	}
}
END_TEST

static void
mac(const void *key, size_t key_len, const void *text, size_t n, const char *want)
{
	unsigned char got[SHA256_SIZE];
	struct hmac m;
	hmac_init(&m, key, key_len);
	hmac_add(&m, text, n / 2);
	hmac_add(&m, (const char *)text + n / 2, n - n / 2);
	hmac_end(&m, got);
	expect(got, want, "HMAC");
}

/* RFC 4231, test cases 1 to 4, 6 and 7 (5 cuts its sum short). */
START_TEST(published_macs)
{
	unsigned char key[131], data[50];
	memset(key, 0x0b, 20);
	mac(key, 20, "Hi There", 8, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	mac("Jefe", 4, "what do ya want for nothing?", 28, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof key);
	memset(data, 0xdd, sizeof data);
	mac(key, 20, data, 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
	for (size_t i = 0; i < 25; i++)
		key[i] = (unsigned char)(i + 1);
	memset(data, 0xcd, sizeof data);
	mac(key, 25, data, 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
	memset(key, 0xaa, sizeof key);
	mac(key, 131, "Test Using Larger Than Block-Size Key - Hash Key First", 54,
	    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	static const char longer[] = "This is a test using a larger than block-size key and a larger than block-size data. "
	    "The key needs to be hashed before being used by the HMAC algorithm.";
	mac(key, 131, longer, sizeof longer - 1, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
	mac("", 0, "", 0, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}
END_TEST

START_TEST(comparing)
{
	unsigned char a[64], b[64];
	for (size_t i = 0; i < sizeof a; i++)
		a[i] = b[i] = (unsigned char)i;
	ck_assert(bytes_same(a, b, sizeof a));
	ck_assert(bytes_same(a, b, 0));
	for (size_t i = 0; i < sizeof a; i++)
		for (int bit = 0; bit < 8; bit++) {
			b[i] ^= (unsigned char)(1 << bit);
			unit_require(!bytes_same(a, b, sizeof a), "bit %d of byte %zu is not seen", bit, i);
			b[i] ^= (unsigned char)(1 << bit);
		}
}
END_TEST

static void
add(Suite *suite)
{
	TCase *c = unit_case(suite, "sha256");
	tcase_add_test(c, published_sums);
	tcase_add_test(c, pieces);
	tcase_add_test(c, published_macs);
	tcase_add_test(c, comparing);
}

int
main(void)
{
	return unit_main("sha256", add);
}
