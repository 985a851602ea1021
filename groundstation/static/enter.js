// Keeps the page's key where only this port's pages see it, and leaves the address with the token.
import { KEY } from "./live.js";

sessionStorage.setItem(KEY, document.querySelector("meta[name=sekisho-key]").content);
location.replace("/");
