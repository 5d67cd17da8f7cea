// `npm run test:tools`: installs what the tiers need from outside the clone.

console.log("no tier needs a tool yet");
