// The certified npm package `oidc-provider`, in which whoever was named last signs in.
//
// node oidc-provider.mjs <node_modules> <issuer> <client id> <client secret> <redirect address>
import { pathToFileURL } from 'node:url';

const [modules, issuer, id, secret, redirect] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`).href);

let login = { accountId: 'nobody', acr: 'urn:password', amr: ['pwd'] };
const provider = new Provider(issuer, {
  clients: [{ client_id: id, client_secret: secret, redirect_uris: [redirect], response_types: ['code'], grant_types: ['authorization_code'] }],
  acrValues: ['urn:mfa', 'urn:password'],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], acr: null, amr: null, auth_time: null },
  conformIdTokenClaims: false,
  cookies: { keys: ['test'] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, email: `${sub}@nimbus.example`, email_verified: true }) }),
  // Nobody is asked for a consent.
  async loadExistingGrant({ oidc }) {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope('openid email');
    await grant.save();
    return grant;
  },
});
provider.use(async (ctx, next) => {
  if (ctx.path.startsWith('/as/')) {
    const [, , accountId, acr] = ctx.path.split('/');
    login = { accountId, acr, amr: ['pwd', 'otp'] };
    ctx.body = 'ok';
  } else if (ctx.path.startsWith('/interaction/')) {
    await provider.interactionFinished(ctx.req, ctx.res, { login }, { mergeWithLastSubmission: false });
    ctx.respond = false;
  } else {
    await next();
  }
});
provider.listen(new URL(issuer).port, '127.0.0.1', () => console.log('listening'));
